/* raw.c - the profile as it is, and its comments. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "report/common.h"
#include "report/label_lines.h"

/* Go's text of a time: fraction without trailing zeros, numeric zone, zone name. */
static void put_time(struct out *out, int64_t time_ns)
{
	int64_t fraction = time_ns % 1000000000;
	time_t seconds = (time_t)(time_ns / 1000000000 - (fraction < 0));
	if (fraction < 0)
		fraction += 1000000000;
	struct tm local;
	char date[64], zone[64];
	if (!localtime_r(&seconds, &local) || !strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &local) ||
	    !strftime(zone, sizeof(zone), "%z %Z", &local))
		return;
	out_printf(out, "Time: %s", date);
	if (fraction) {
		char digits[16];
		int length = snprintf(digits, sizeof(digits), ".%09lld", (long long)fraction);
		while (digits[length - 1] == '0')
			length--;
		out_bytes(out, digits, (size_t)length);
	}
	out_printf(out, " %s\n", zone);
}

/* The reference cuts the text of a duration to four characters. */
static void put_duration(struct out *out, int64_t duration_ns)
{
	char text[UNIT_LABEL_SIZE];
	struct str left = { text, duration_text(text, duration_ns) };
	out_text(out, "Duration: ");
	for (int i = 0; i < 4 && left.length; i++) {
		size_t size;
		utf8_decode(left, &size);
		out_bytes(out, left.data, size);
		left = str_from(left, size);
	}
	out_char(out, '\n');
}

static void put_header(const struct report *report, struct out *out)
{
	const struct profile *profile = report->profile;
	for (uint32_t i = 0; i < profile->comment_count; i++)
		out_printf(out, "Comment: %.*s\n", STR_ARG(profile_str(profile, profile->comments[i])));
	if (profile->doc_url)
		out_printf(out, "Doc: %.*s\n", STR_ARG(profile_str(profile, profile->doc_url)));
	out_printf(out, "PeriodType: %.*s %.*s\n", STR_ARG(profile_str(profile, profile->period_type.type)),
	           STR_ARG(profile_str(profile, profile->period_type.unit)));
	out_printf(out, "Period: %lld\n", (long long)profile->period);
	if (profile->time_ns)
		put_time(out, profile->time_ns);
	if (profile->duration_ns)
		put_duration(out, profile->duration_ns);
	out_text(out, "Samples:\n");
	for (uint32_t k = 0; k < profile->sample_type_count; k++) {
		struct value_type type = profile->sample_types[k];
		out_printf(out, "%s%.*s/%.*s%s", k ? " " : "", STR_ARG(profile_str(profile, type.type)),
		           STR_ARG(profile_str(profile, type.unit)), type.type == profile->default_sample_type ? "[dflt]" : "");
	}
	out_char(out, '\n');
}

static void write_text_run(const void *context, const struct label *labels, uint32_t start, uint32_t end,
                           struct buffer *to)
{
	const struct profile *profile = context;
	buffer_append_str(to, profile_str(profile, labels[start].key));
	for (uint32_t i = start; i < end; i++) {
		buffer_append_text(to, i == start ? ":[" : " ");
		buffer_append_str(to, profile_str(profile, labels[i].text_ix));
	}
	buffer_append_char(to, ']');
}

static void write_number_run(const void *context, const struct label *labels, uint32_t start, uint32_t end,
                             struct buffer *to)
{
	const struct profile *profile = context;
	bool has_unit = label_run_has_unit(labels, start, end);
	buffer_append_str(to, profile_str(profile, labels[start].key));
	for (uint32_t i = start; i < end; i++) {
		buffer_printf(to, "%s%lld", i == start ? ":[" : " ", (long long)labels[i].number);
		if (has_unit) {
			buffer_append_char(to, ' ');
			buffer_append_str(to, profile_str(profile, labels[i].text_ix));
		}
	}
	buffer_append_char(to, ']');
}

static void put_labels(const struct profile *profile, struct out *out, const struct label *labels, uint32_t count,
                       label_run_writer writer, struct label_lines *lines)
{
	if (count == 0)
		return;
	label_lines_make(lines, profile, labels, count, writer, profile);
	out_text(out, "                ");
	for (size_t i = 0; i < lines->count; i++) {
		if (i)
			out_char(out, ' ');
		out_str(out, label_lines_get(lines, i));
	}
	out_char(out, '\n');
}

/* "ID " of a location as the bytes of one word, zeros behind; 0 if it is longer. Each id is printed many times. */
typedef uint64_t id_text;
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first byte of a text is the word's lowest");
#define ID_TEXT_LIMIT 10000000 /* seven digits and the blank */

static inline size_t id_text_length(id_text text)
{
	return sizeof(text) - (size_t)__builtin_clzll(text) / 8;
}

static id_text *make_id_texts(const struct profile *profile)
{
	id_text *texts = xcalloc(profile->location_count, sizeof(*texts));
	for (uint32_t i = 0; i < profile->location_count; i++) {
		uint64_t id = profile->locations[i].id;
		if (id >= ID_TEXT_LIMIT)
			continue;
		id_text text = ' ';
		do
			text = text << 8 | ('0' + id % 10);
		while (id /= 10);
		texts[i] = text;
	}
	return texts;
}

#define IDS_AT_ONCE 512

static void put_ids(const struct profile *profile, struct out *out, const struct sample *sample, const id_text *texts)
{
	const uint32_t *stack = profile_stack(profile, sample), *end = stack + sample->location_count;
	while (stack < end) {
		char *room = out_room(out, IDS_AT_ONCE * sizeof(*texts)), *to = room;
		const uint32_t *stop = end - stack < IDS_AT_ONCE ? end : stack + IDS_AT_ONCE;
		for (; stack < stop && texts[*stack]; stack++) {
			memcpy(to, &texts[*stack], sizeof(*texts));
			to += id_text_length(texts[*stack]);
		}
		out_claim(out, (size_t)(to - room));
		if (stack < stop) {
			out_uint(out, profile->locations[*stack++].id);
			out_char(out, ' ');
		}
	}
}

static void put_sample(const struct profile *profile, struct out *out, uint32_t sample_ix, const id_text *texts,
                       struct label_lines *lines)
{
	const struct sample *sample = &profile->samples[sample_ix];
	const int64_t *values = profile_values(profile, sample_ix);
	for (uint32_t k = 0; k < profile->sample_type_count; k++) {
		out_char(out, ' ');
		out_int_right(out, values[k], 10);
	}
	out_bytes(out, ": ", 2);
	put_ids(profile, out, sample, texts);
	out_char(out, '\n');
	put_labels(profile, out, sample_text_labels(profile, sample), sample->text_count, write_text_run, lines);
	put_labels(profile, out, sample_number_labels(profile, sample), sample->number_count, write_number_run, lines);
}

static void put_line(const struct profile *profile, struct out *out, const struct line *line)
{
	if (line->function_ix == PROFILE_NONE) {
		out_text(out, "??\n");
		return;
	}
	const struct function *function = &profile->functions[line->function_ix];
	out_str(out, profile_str(profile, function->name));
	out_char(out, ' ');
	out_str(out, profile_str(profile, function->filename));
	out_char(out, ':');
	out_int(out, line->line);
	out_char(out, ':');
	out_int(out, line->column);
	out_bytes(out, " s=", 3);
	out_int(out, function->start_line);
	if (function->name != function->system_name) {
		out_char(out, '(');
		out_str(out, profile_str(profile, function->system_name));
		out_char(out, ')');
	}
	out_char(out, '\n');
}

static void put_location(const struct profile *profile, struct out *out, const struct location *location)
{
	out_uint_right(out, location->id, 6);
	out_bytes(out, ": 0x", 4);
	out_hex(out, location->address);
	out_char(out, ' ');
	if (location->mapping_ix != PROFILE_NONE) {
		out_bytes(out, "M=", 2);
		out_uint(out, profile->mappings[location->mapping_ix].id);
		out_char(out, ' ');
	}
	if (location->is_folded)
		out_text(out, "[F] ");
	const struct line *lines = profile_lines(profile, location);
	for (uint32_t i = 0; i < location->line_count; i++) {
		if (i)
			out_text(out, "             ");
		put_line(profile, out, &lines[i]);
	}
	if (location->line_count == 0)
		out_char(out, '\n');
}

static void put_mapping(const struct profile *profile, struct out *out, const struct mapping *mapping)
{
	out_printf(out, "%llu: 0x%llx/0x%llx/0x%llx %.*s %.*s %s%s%s%s\n", (unsigned long long)mapping->id,
	           (unsigned long long)mapping->start, (unsigned long long)mapping->limit,
	           (unsigned long long)mapping->offset, STR_ARG(profile_str(profile, mapping->file)),
	           STR_ARG(profile_str(profile, mapping->build_id)), mapping->has_functions ? "[FN]" : "",
	           mapping->has_filenames ? "[FL]" : "", mapping->has_line_numbers ? "[LN]" : "",
	           mapping->has_inline_frames ? "[IN]" : "");
}

enum status report_raw(struct report *report, struct out *out, struct error *err)
{
	(void)err;
	const struct profile *profile = report->profile;
	put_header(report, out);
	struct label_lines lines;
	label_lines_init(&lines);
	id_text *texts = make_id_texts(profile);
	for (uint32_t i = 0; i < profile->sample_count && !out->write_errno; i++)
		put_sample(profile, out, i, texts, &lines);
	free(texts);
	label_lines_release(&lines);
	out_text(out, "Locations\n");
	for (uint32_t i = 0; i < profile->location_count && !out->write_errno; i++)
		put_location(profile, out, &profile->locations[i]);
	out_text(out, "Mappings\n");
	for (uint32_t i = 0; i < profile->mapping_count; i++)
		put_mapping(profile, out, &profile->mappings[i]);
	return STATUS_OK;
}

enum status report_comments(struct report *report, struct out *out, struct error *err)
{
	(void)err;
	const struct profile *profile = report->profile;
	for (uint32_t i = 0; i < profile->comment_count; i++) {
		out_str(out, profile_str(profile, profile->comments[i]));
		out_char(out, '\n');
	}
	return STATUS_OK;
}
