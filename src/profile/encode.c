/* encode.c - struct profile to profile.proto, byte for byte in the reference's order.
 *
 * The string table is written in the order of first use while walking sample types, labels, mappings, functions and
 * header fields; fields go in the order of their numbers; zero scalars are left out except default_sample_type.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "profile/codec.h"
#include "profile/labels.h"
#include "wire/gzip.h"
#include "wire/protobuf.h"

/* Which index each string of the profile gets on the wire. */
struct encoder {
	const struct profile *profile;
	struct buffer *to;
	uint32_t *wire_ix; /* by string; UINT32_MAX = not used yet */
	uint32_t *order;   /* strings in wire order */
	uint32_t order_count;
	struct label *sorted; /* labels of one sample */
	size_t sorted_capacity;
};

static uint64_t wire_string(struct encoder *encoder, uint32_t string_ix)
{
	if (encoder->wire_ix[string_ix] == UINT32_MAX) {
		encoder->wire_ix[string_ix] = encoder->order_count;
		encoder->order[encoder->order_count++] = string_ix;
	}
	return encoder->wire_ix[string_ix];
}

/* A repeated number: packed when there are more than two. */
#define PUT_REPEATED(to, number, count, value_of_i) \
	do { \
		if ((count) > 2) { \
			size_t packed_mark = pb_begin_message(to, number); \
			for (uint32_t i = 0; i < (count); i++) \
				pb_put_varint(to, value_of_i); \
			pb_end_message(to, packed_mark); \
		} else { \
			for (uint32_t i = 0; i < (count); i++) \
				pb_put_uint(to, number, value_of_i); \
		} \
	} while (0)

static void put_value_type(struct encoder *encoder, uint32_t number, const struct value_type *type)
{
	uint64_t name = wire_string(encoder, type->type), unit = wire_string(encoder, type->unit);
	size_t mark = pb_begin_message(encoder->to, number);
	pb_put_uint_nonzero(encoder->to, 1, name);
	pb_put_uint_nonzero(encoder->to, 2, unit);
	pb_end_message(encoder->to, mark);
}

static void put_labels(struct encoder *encoder, const struct label *labels, uint32_t count, bool numbers)
{
	while (encoder->sorted_capacity < count)
		encoder->sorted = xgrow(encoder->sorted, count, &encoder->sorted_capacity, sizeof(*encoder->sorted));
	if (!count)
		return;
	memcpy(encoder->sorted, labels, count * sizeof(*labels));
	labels_sort(encoder->profile, encoder->sorted, count);
	struct buffer *to = encoder->to;
	for (uint32_t i = 0; i < count; i++) {
		const struct label *label = &encoder->sorted[i];
		uint64_t key = wire_string(encoder, label->key), text = wire_string(encoder, label->text_ix);
		size_t mark = pb_begin_message(to, 3);
		pb_put_uint_nonzero(to, 1, key);
		if (!numbers)
			pb_put_uint_nonzero(to, 2, text);
		pb_put_uint_nonzero(to, 3, (uint64_t)label->number);
		if (numbers)
			pb_put_uint_nonzero(to, 4, text);
		pb_end_message(to, mark);
	}
}

static void put_sample(struct encoder *encoder, uint32_t sample_ix)
{
	const struct profile *profile = encoder->profile;
	const struct sample *sample = &profile->samples[sample_ix];
	const uint32_t *stack = profile_stack(profile, sample);
	const int64_t *values = profile_values(profile, sample_ix);
	size_t mark = pb_begin_message(encoder->to, 2);
	PUT_REPEATED(encoder->to, 1, sample->location_count, profile->locations[stack[i]].id);
	PUT_REPEATED(encoder->to, 2, profile->sample_type_count, (uint64_t)values[i]);
	put_labels(encoder, sample_text_labels(profile, sample), sample->text_count, false);
	put_labels(encoder, sample_number_labels(profile, sample), sample->number_count, true);
	pb_end_message(encoder->to, mark);
}

static void put_mapping(struct encoder *encoder, const struct mapping *mapping)
{
	struct buffer *to = encoder->to;
	uint64_t file = wire_string(encoder, mapping->file), build_id = wire_string(encoder, mapping->build_id);
	size_t mark = pb_begin_message(to, 3);
	pb_put_uint_nonzero(to, 1, mapping->id);
	pb_put_uint_nonzero(to, 2, mapping->start);
	pb_put_uint_nonzero(to, 3, mapping->limit);
	pb_put_uint_nonzero(to, 4, mapping->offset);
	pb_put_uint_nonzero(to, 5, file);
	pb_put_uint_nonzero(to, 6, build_id);
	pb_put_uint_nonzero(to, 7, mapping->has_functions);
	pb_put_uint_nonzero(to, 8, mapping->has_filenames);
	pb_put_uint_nonzero(to, 9, mapping->has_line_numbers);
	pb_put_uint_nonzero(to, 10, mapping->has_inline_frames);
	pb_end_message(to, mark);
}

static void put_location(struct encoder *encoder, const struct location *location)
{
	const struct profile *profile = encoder->profile;
	struct buffer *to = encoder->to;
	size_t mark = pb_begin_message(to, 4);
	pb_put_uint_nonzero(to, 1, location->id);
	if (location->mapping_ix != PROFILE_NONE)
		pb_put_uint_nonzero(to, 2, profile->mappings[location->mapping_ix].id);
	pb_put_uint_nonzero(to, 3, location->address);
	const struct line *lines = profile_lines(profile, location);
	for (uint32_t i = 0; i < location->line_count; i++) {
		size_t line_mark = pb_begin_message(to, 4);
		if (lines[i].function_ix != PROFILE_NONE)
			pb_put_uint_nonzero(to, 1, profile->functions[lines[i].function_ix].id);
		pb_put_uint_nonzero(to, 2, (uint64_t)lines[i].line);
		pb_put_uint_nonzero(to, 3, (uint64_t)lines[i].column);
		pb_end_message(to, line_mark);
	}
	pb_put_uint_nonzero(to, 5, location->is_folded);
	pb_end_message(to, mark);
}

static void put_function(struct encoder *encoder, const struct function *function)
{
	struct buffer *to = encoder->to;
	uint64_t name = wire_string(encoder, function->name);
	uint64_t system_name = wire_string(encoder, function->system_name);
	uint64_t filename = wire_string(encoder, function->filename);
	size_t mark = pb_begin_message(to, 5);
	pb_put_uint_nonzero(to, 1, function->id);
	pb_put_uint_nonzero(to, 2, name);
	pb_put_uint_nonzero(to, 3, system_name);
	pb_put_uint_nonzero(to, 4, filename);
	pb_put_uint_nonzero(to, 5, (uint64_t)function->start_line);
	pb_end_message(to, mark);
}

static void put_tables(struct encoder *encoder)
{
	const struct profile *profile = encoder->profile;
	for (uint32_t i = 0; i < profile->sample_type_count; i++)
		put_value_type(encoder, 1, &profile->sample_types[i]);
	for (uint32_t i = 0; i < profile->sample_count; i++)
		put_sample(encoder, i);
	for (uint32_t i = 0; i < profile->mapping_count; i++)
		put_mapping(encoder, &profile->mappings[i]);
	for (uint32_t i = 0; i < profile->location_count; i++)
		put_location(encoder, &profile->locations[i]);
	for (uint32_t i = 0; i < profile->function_count; i++)
		put_function(encoder, &profile->functions[i]);
}

/* The strings of the header come last in the order of use but the table stands before them, so they are named first. */
static void put_header(struct encoder *encoder)
{
	const struct profile *profile = encoder->profile;
	struct buffer *to = encoder->to;
	uint64_t drop = wire_string(encoder, profile->drop_frames), keep = wire_string(encoder, profile->keep_frames);
	wire_string(encoder, profile->period_type.type);
	wire_string(encoder, profile->period_type.unit);
	for (uint32_t i = 0; i < profile->comment_count; i++)
		wire_string(encoder, profile->comments[i]);
	uint64_t default_type = wire_string(encoder, profile->default_sample_type);
	uint64_t doc_url = wire_string(encoder, profile->doc_url);
	for (uint32_t i = 0; i < encoder->order_count; i++)
		pb_put_bytes(to, 6, profile_str(profile, encoder->order[i]));
	pb_put_uint_nonzero(to, 7, drop);
	pb_put_uint_nonzero(to, 8, keep);
	pb_put_uint_nonzero(to, 9, (uint64_t)profile->time_ns);
	pb_put_uint_nonzero(to, 10, (uint64_t)profile->duration_ns);
	if (profile->period_type.type || profile->period_type.unit)
		put_value_type(encoder, 11, &profile->period_type);
	pb_put_uint_nonzero(to, 12, (uint64_t)profile->period);
	PUT_REPEATED(to, 13, profile->comment_count, wire_string(encoder, profile->comments[i]));
	pb_put_uint(to, 14, default_type);
	pb_put_uint_nonzero(to, 15, doc_url);
}

void profile_encode(const struct profile *profile, struct buffer *to)
{
	uint32_t string_count = profile->strings.count;
	struct encoder encoder = { .profile = profile, .to = to };
	encoder.wire_ix = xreallocarray(NULL, string_count, sizeof(uint32_t));
	encoder.order = xreallocarray(NULL, string_count, sizeof(uint32_t));
	memset(encoder.wire_ix, 0xFF, string_count * sizeof(uint32_t));
	wire_string(&encoder, 0);
	put_tables(&encoder);
	put_header(&encoder);
	free(encoder.wire_ix);
	free(encoder.order);
	free(encoder.sorted);
}

enum status profile_encode_gzip(const struct profile *profile, struct buffer *to, struct error *err)
{
	struct buffer plain;
	buffer_init(&plain, BUFFER_UNLIMITED);
	profile_encode(profile, &plain);
	enum status status = gzip_deflate(buffer_str(&plain), to, err);
	buffer_release(&plain);
	return status;
}
