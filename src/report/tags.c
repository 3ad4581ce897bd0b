/* tags.c - what the labels of the samples add up to, by key and value. */
#include <stdlib.h>

#include "base/id_map.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "report/common.h"

/* One value of one key. Number values are equal when their texts are. */
struct tag {
	uint32_t key, text; /* strings */
	int64_t total;
};

struct tags {
	struct report *report;
	struct tag *tags;
	size_t count, capacity;
	struct id_map by_pair; /* key << 32 | text → tag */
};

static void count_tag(struct tags *tags, uint32_t key, uint32_t text, int64_t value)
{
	uint64_t pair = (uint64_t)key << 32 | text;
	uint32_t tag_ix = id_map_get(&tags->by_pair, pair);
	if (tag_ix == UINT32_MAX) {
		tags->tags = xgrow(tags->tags, tags->count, &tags->capacity, sizeof(*tags->tags));
		tag_ix = (uint32_t)tags->count++;
		tags->tags[tag_ix] = (struct tag){ key, text, 0 };
		id_map_set(&tags->by_pair, pair, tag_ix);
	}
	tags->tags[tag_ix].total = int64_add(tags->tags[tag_ix].total, value);
}

static void count_sample(struct tags *tags, uint32_t sample_ix)
{
	struct report *report = tags->report;
	struct profile *profile = report->profile;
	const struct sample *sample = &profile->samples[sample_ix];
	int64_t value = profile_values(profile, sample_ix)[report->options.value_ix];
	const struct label *labels = sample_text_labels(profile, sample);
	for (uint32_t i = 0; i < sample->text_count; i++)
		count_tag(tags, labels[i].key, labels[i].text_ix, value);
	labels = sample_number_labels(profile, sample);
	for (uint32_t i = 0; i < sample->number_count; i++) {
		char text[UNIT_LABEL_SIZE];
		struct str unit = profile_str(profile, number_units_find(report->options.number_units, labels[i].key));
		size_t length = unit_label(text, labels[i].number, unit, report->options.output_unit);
		count_tag(tags, labels[i].key, profile_intern(profile, (struct str){ text, length }), value);
	}
}

static int compare_tags(const void *left, const void *right, void *context)
{
	const struct profile *profile = context;
	const struct tag *a = left, *b = right;
	if (a->key != b->key)
		return str_compare(profile_str(profile, a->key), profile_str(profile, b->key));
	int64_t a_total = int64_magnitude(a->total), b_total = int64_magnitude(b->total);
	if (a_total != b_total)
		return a_total > b_total ? -1 : 1;
	return str_compare(profile_str(profile, a->text), profile_str(profile, b->text));
}

/* "VALUE (PERCENT):", or without percent when there is no total. */
static void make_cell(const struct report *report, int64_t value, struct buffer *to)
{
	char text[UNIT_LABEL_SIZE], percentage[PERCENTAGE_SIZE];
	report_value(report, value, text);
	buffer_clear(to);
	buffer_append_text(to, text);
	if (report->total > 0) {
		percentage_text(percentage, value, report->total);
		buffer_printf(to, " (%s)", percentage);
	}
	buffer_append_char(to, ':');
}

static void put_key(struct tags *tags, struct out *out, const struct tag *tag, size_t count, struct buffer *cell)
{
	const struct report *report = tags->report;
	struct str key = profile_str(report->profile, tag->key);
	int64_t total = 0;
	size_t width = 0;
	for (size_t i = 0; i < count; i++) {
		total = int64_add(total, tag[i].total);
		make_cell(report, tag[i].total, cell);
		size_t characters = utf8_count(buffer_str(cell));
		width = characters > width ? characters : width;
	}
	size_t key_width = utf8_count(key) + 1;
	out_char(out, ' ');
	out_str(out, key);
	out_text(out, ": Total ");
	report_put_value(report, out, total, 0);
	out_text(out, " of ");
	report_put_value(report, out, report->total, 0);
	if (report->total > 0) {
		out_text(out, " (");
		report_put_percentage(out, total, report->total);
		out_char(out, ')');
	}
	out_char(out, '\n');
	for (size_t i = 0; i < count; i++) {
		out_repeat(out, ' ', key_width + 1);
		make_cell(report, tag[i].total, cell);
		out_str_right(out, buffer_str(cell), width + 1);
		out_char(out, ' ');
		out_str(out, profile_str(report->profile, tag[i].text));
		out_char(out, '\n');
	}
	out_char(out, '\n');
}

enum status report_tags(struct report *report, struct out *out, struct error *err)
{
	(void)err;
	struct tags tags = { .report = report };
	id_map_init(&tags.by_pair, 0);
	for (uint32_t i = 0; i < report->profile->sample_count; i++)
		count_sample(&tags, i);
	if (tags.count > 1)
		qsort_r(tags.tags, tags.count, sizeof(*tags.tags), compare_tags, report->profile);
	struct buffer cell;
	buffer_init(&cell, BUFFER_UNLIMITED);
	for (size_t start = 0, end; start < tags.count; start = end) {
		end = start + 1;
		while (end < tags.count && tags.tags[end].key == tags.tags[start].key)
			end++;
		put_key(&tags, out, &tags.tags[start], end - start, &cell);
	}
	buffer_release(&cell);
	id_map_release(&tags.by_pair);
	free(tags.tags);
	return STATUS_OK;
}
