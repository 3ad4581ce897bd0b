/* decode.c - profile.proto to struct profile.
 *
 * Samples stand in front of the tables they refer to, so the bytes are gone through twice: once for everything that is
 * not a sample (the tables, header fields and strings), once for the samples, whose location ids can then be turned into
 * indices as they are read. Nothing is allocated per sample.
 *
 * The acceptance rules are the reference's: unknown fields are skipped, a known field of the wrong wire type is an error,
 * repeated numbers may be packed or not, a second time_nanos means two profiles glued together.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "profile/codec.h"
#include "base/id_map.h"
#include "wire/protobuf.h"

/* Field numbers of message Profile. */
enum profile_field {
	FIELD_SAMPLE_TYPE = 1,
	FIELD_SAMPLE = 2,
	FIELD_MAPPING = 3,
	FIELD_LOCATION = 4,
	FIELD_FUNCTION = 5,
	FIELD_STRING = 6,
	FIELD_DROP_FRAMES = 7,
	FIELD_KEEP_FRAMES = 8,
	FIELD_TIME = 9,
	FIELD_DURATION = 10,
	FIELD_PERIOD_TYPE = 11,
	FIELD_PERIOD = 12,
	FIELD_COMMENT = 13,
	FIELD_DEFAULT_SAMPLE_TYPE = 14,
	FIELD_DOC_URL = 15,
};
#define LAST_FIELD FIELD_DOC_URL

struct decoder {
	struct profile *profile;
	struct str bytes;
	uint32_t counts[LAST_FIELD + 1];

	uint32_t *strings; /* wire string index → string of the profile */
	uint32_t string_count;

	struct id_map mapping_ids, function_ids, location_ids;

	/* References inside tables are by id and may point forward: kept as ids until everything was read. */
	uint64_t *line_function_ids;
	size_t line_function_capacity;
	uint64_t *location_mapping_ids;
	uint64_t *comments; /* string indices */
	size_t comment_count, comment_capacity;

	/* Scratch for one sample's labels. */
	struct label *number_labels;
	size_t number_label_capacity;

	bool nil_location; /* the sample at hand names a location that is not there */
	bool bad_string;   /* a string index out of range */
	struct error *err;
	struct error invalid;   /* the first broken rule among the samples; code STATUS_OK if none */
	struct error duplicate; /* the first duplicated or reserved id, in the order in which the tables are checked */
	unsigned duplicate_rank;
	enum pb_result trouble;
	const uint8_t *trouble_at;
	bool bad_first_string;
	const uint8_t
			*second_profile_at; /* a second time stamp, which tells of profiles glued together; NULL if there is none */
};

/* --- pieces ---------------------------------------------------------------------------------------------------- */

static bool fail(struct decoder *decoder, enum pb_result trouble, const uint8_t *at)
{
	decoder->trouble = trouble;
	decoder->trouble_at = at;
	return false;
}

/* The profile's string for an index of the wire. */
static uint32_t string_of(struct decoder *decoder, uint64_t wire_ix)
{
	if (wire_ix < decoder->string_count)
		return decoder->strings[wire_ix];
	decoder->bad_string = true;
	return 0;
}

/* Reads a message that has only scalar fields numbered 1..count into values[1..count]; others are skipped. */
static bool read_scalars(struct decoder *decoder, const struct pb_field *message, uint64_t *values, unsigned count)
{
	struct pb_reader reader = pb_message(message);
	struct pb_field field;
	enum pb_result result;
	while ((result = pb_next(&reader, &field)) == PB_OK) {
		if (field.number == 0 || field.number > count)
			continue;
		if (field.wire_type != PB_VARINT)
			return fail(decoder, PB_TYPE_MISMATCH, reader.at);
		values[field.number] = field.value;
	}
	return result == PB_END || fail(decoder, result, reader.at);
}

static bool read_value_type(struct decoder *decoder, const struct pb_field *message, struct value_type *ret_type)
{
	uint64_t values[3] = { 0 };
	if (!read_scalars(decoder, message, values, 2))
		return false;
	*ret_type = (struct value_type){ string_of(decoder, values[1]), string_of(decoder, values[2]) };
	return true;
}

/* Remembers the first broken rule about ids in the order mappings, functions, locations (`rank`). */
static void check_id(struct decoder *decoder, bool is_new, uint64_t id, unsigned rank, const char *noun,
                     const char *plural, const char *id_word)
{
	if ((id != 0 && is_new) || decoder->duplicate_rank <= rank)
		return;
	decoder->duplicate_rank = rank;
	if (id == 0)
		error_set(&decoder->duplicate, STATUS_INVALID, "found %s with reserved %s=0", noun, id_word);
	else
		error_set(&decoder->duplicate, STATUS_INVALID, "multiple %s with same id: %llu", plural,
		          (unsigned long long)id);
}

/* --- tables ---------------------------------------------------------------------------------------------------- */

static bool read_mapping(struct decoder *decoder, const struct pb_field *message)
{
	uint64_t v[11] = { 0 };
	if (!read_scalars(decoder, message, v, 10))
		return false;
	struct profile *profile = decoder->profile;
	struct mapping *mapping = profile_add_mapping(profile);
	*mapping = (struct mapping){
		.id = v[1],
		.start = v[2],
		.limit = v[3],
		.offset = v[4],
		.file = string_of(decoder, v[5]),
		.build_id = string_of(decoder, v[6]),
		.has_functions = v[7] != 0,
		.has_filenames = v[8] != 0,
		.has_line_numbers = v[9] != 0,
		.has_inline_frames = v[10] != 0,
	};
	/* perf's converter writes "[kernel.kallsyms]_text": the rest names the symbol that the kernel was relocated by. */
	struct str file = profile_str(profile, mapping->file), kernel = STR_LITERAL("[kernel.kallsyms]");
	if (str_starts_with(file, kernel) && file.length > kernel.length)
		mapping->kernel_relocation_symbol = profile_intern(profile, str_from(file, kernel.length));
	bool is_new = id_map_set(&decoder->mapping_ids, v[1], profile->mapping_count - 1);
	check_id(decoder, is_new, v[1], 0, "mapping", "mappings", "ID");
	return true;
}

static bool read_function(struct decoder *decoder, const struct pb_field *message)
{
	uint64_t v[6] = { 0 };
	if (!read_scalars(decoder, message, v, 5))
		return false;
	struct function *function = profile_add_function(decoder->profile);
	*function = (struct function){
		.id = v[1],
		.name = string_of(decoder, v[2]),
		.system_name = string_of(decoder, v[3]),
		.filename = string_of(decoder, v[4]),
		.start_line = (int64_t)v[5],
	};
	bool is_new = id_map_set(&decoder->function_ids, v[1], decoder->profile->function_count - 1);
	check_id(decoder, is_new, v[1], 1, "function", "functions", "ID");
	return true;
}

static bool read_line(struct decoder *decoder, const struct pb_field *message)
{
	uint64_t v[4] = { 0 };
	if (!read_scalars(decoder, message, v, 3))
		return false;
	uint32_t line_ix = profile_add_lines(decoder->profile, 1);
	decoder->profile->lines[line_ix] = (struct line){ PROFILE_NONE, (int64_t)v[2], (int64_t)v[3] };
	decoder->line_function_ids =
			xgrow(decoder->line_function_ids, line_ix, &decoder->line_function_capacity, sizeof(uint64_t));
	decoder->line_function_ids[line_ix] = v[1];
	return true;
}

static bool read_location(struct decoder *decoder, const struct pb_field *message)
{
	struct profile *profile = decoder->profile;
	uint64_t v[6] = { 0 };
	uint32_t line_start = profile->line_count;
	struct pb_reader reader = pb_message(message);
	struct pb_field field;
	enum pb_result result;
	while ((result = pb_next(&reader, &field)) == PB_OK) {
		if (field.number == 0 || field.number > 5)
			continue;
		if (field.wire_type != (field.number == 4 ? PB_BYTES : PB_VARINT))
			return fail(decoder, PB_TYPE_MISMATCH, reader.at);
		if (field.number != 4)
			v[field.number] = field.value;
		else if (!read_line(decoder, &field))
			return false;
	}
	if (result != PB_END)
		return fail(decoder, result, reader.at);
	struct location *location = profile_add_location(profile);
	*location = (struct location){
		.id = v[1],
		.address = v[3],
		.mapping_ix = PROFILE_NONE,
		.line_start = line_start,
		.line_count = profile->line_count - line_start,
		.is_folded = v[5] != 0,
	};
	decoder->location_mapping_ids[profile->location_count - 1] = v[2];
	bool is_new = id_map_set(&decoder->location_ids, v[1], profile->location_count - 1);
	check_id(decoder, is_new, v[1], 2, "location", "locations", "id");
	return true;
}

/* --- first pass: counting, strings -------------------------------------------------------------------------------- */

static bool count_fields(struct decoder *decoder)
{
	bool has_time = false;
	struct pb_reader reader = pb_reader_of((const uint8_t *)decoder->bytes.data, decoder->bytes.length);
	struct pb_field field;
	enum pb_result result;
	while ((result = pb_next(&reader, &field)) == PB_OK) {
		if (field.number > LAST_FIELD)
			continue;
		decoder->counts[field.number]++;
		if (field.number == FIELD_STRING && field.wire_type == PB_BYTES && decoder->counts[FIELD_STRING] == 1)
			decoder->bad_first_string = field.length != 0;
		if (field.number == FIELD_TIME && field.wire_type == PB_VARINT) {
			if (has_time && !decoder->second_profile_at)
				decoder->second_profile_at = field.data;
			has_time = has_time || field.value != 0;
		}
	}
	if (decoder->counts[0] > 0)
		return fail(decoder, PB_BAD_NUMBER, reader.at); /* no encoder writes one: a block of zeros, say */
	return result == PB_END || fail(decoder, result, reader.at);
}

static bool read_strings(struct decoder *decoder)
{
	struct profile *profile = decoder->profile;
	strtab_release(&profile->strings);
	strtab_init(&profile->strings, decoder->counts[FIELD_STRING] + 16);
	decoder->strings = xreallocarray(NULL, decoder->counts[FIELD_STRING], sizeof(uint32_t));
	struct pb_reader reader = pb_reader_of((const uint8_t *)decoder->bytes.data, decoder->bytes.length);
	struct pb_field field;
	while (pb_next(&reader, &field) == PB_OK) {
		if (field.number != FIELD_STRING)
			continue;
		if (field.wire_type != PB_BYTES)
			return fail(decoder, PB_TYPE_MISMATCH, reader.at);
		struct str text = { (const char *)field.data, field.length };
		decoder->strings[decoder->string_count++] = profile_intern(profile, text);
	}
	return true;
}

/* --- second pass: everything but samples ----------------------------------------------------------------------------- */

static bool read_comment(struct decoder *decoder, const struct pb_field *field)
{
	struct pb_reader reader = pb_message(field);
	uint64_t value = field->value;
	bool packed = field->wire_type == PB_BYTES;
	if (!packed && field->wire_type != PB_VARINT)
		return fail(decoder, PB_TYPE_MISMATCH, field->data);
	while (!packed || reader.at < reader.end) {
		if (packed && !pb_varint(&reader, &value))
			return fail(decoder, PB_BAD_VARINT, reader.at);
		decoder->comments =
				xgrow(decoder->comments, decoder->comment_count, &decoder->comment_capacity, sizeof(uint64_t));
		decoder->comments[decoder->comment_count++] = value;
		if (!packed)
			break;
	}
	return true;
}

static bool read_header_scalar(struct decoder *decoder, const struct pb_field *field)
{
	struct profile *profile = decoder->profile;
	if (field->data == decoder->second_profile_at)
		return fail(decoder, PB_OK, field->data);
	if (field->wire_type != PB_VARINT)
		return fail(decoder, PB_TYPE_MISMATCH, field->data);
	switch (field->number) {
	case FIELD_DROP_FRAMES:
		profile->drop_frames = string_of(decoder, field->value);
		break;
	case FIELD_KEEP_FRAMES:
		profile->keep_frames = string_of(decoder, field->value);
		break;
	case FIELD_TIME:
		profile->time_ns = (int64_t)field->value;
		break;
	case FIELD_DURATION:
		profile->duration_ns = (int64_t)field->value;
		break;
	case FIELD_PERIOD:
		profile->period = (int64_t)field->value;
		break;
	case FIELD_DEFAULT_SAMPLE_TYPE:
		profile->default_sample_type = string_of(decoder, field->value);
		break;
	case FIELD_DOC_URL:
		profile->doc_url = string_of(decoder, field->value);
		break;
	default: /* an unknown number: skipped */
		break;
	}
	return true;
}

static bool read_table_field(struct decoder *decoder, const struct pb_field *field, uint32_t *sample_type_ix)
{
	struct profile *profile = decoder->profile;
	bool is_message = field->number <= FIELD_STRING || field->number == FIELD_PERIOD_TYPE;
	if (is_message && field->wire_type != PB_BYTES)
		return fail(decoder, PB_TYPE_MISMATCH, field->data);
	switch (field->number) {
	case FIELD_SAMPLE_TYPE:
		return read_value_type(decoder, field, &profile->sample_types[(*sample_type_ix)++]);
	case FIELD_MAPPING:
		return read_mapping(decoder, field);
	case FIELD_LOCATION:
		return read_location(decoder, field);
	case FIELD_FUNCTION:
		return read_function(decoder, field);
	case FIELD_PERIOD_TYPE:
		return read_value_type(decoder, field, &profile->period_type);
	case FIELD_COMMENT:
		return read_comment(decoder, field);
	case FIELD_SAMPLE:
	case FIELD_STRING:
		return true; /* in passes of their own */
	default:
		return read_header_scalar(decoder, field);
	}
}

/* Inlined frames make more lines than locations. How many is not known, but memory that stays untouched costs nothing,
 * unlike what growing leaves behind. */
static void reserve_lines(struct decoder *decoder)
{
	struct profile *profile = decoder->profile;
	size_t expected = (size_t)decoder->counts[FIELD_LOCATION] * 2;
	if (expected <= profile->line_capacity || expected > UINT32_MAX)
		return;
	profile->lines = xreallocarray(profile->lines, expected, sizeof(*profile->lines));
	profile->line_capacity = (uint32_t)expected;
	decoder->line_function_ids = xreallocarray(NULL, expected, sizeof(uint64_t));
	decoder->line_function_capacity = expected;
}

static bool read_tables(struct decoder *decoder)
{
	const uint32_t *counts = decoder->counts;
	profile_set_sample_types(decoder->profile, counts[FIELD_SAMPLE_TYPE]);
	id_map_init(&decoder->mapping_ids, counts[FIELD_MAPPING]);
	id_map_init(&decoder->function_ids, counts[FIELD_FUNCTION]);
	id_map_init(&decoder->location_ids, counts[FIELD_LOCATION]);
	decoder->location_mapping_ids = xreallocarray(NULL, counts[FIELD_LOCATION], sizeof(uint64_t));
	profile_reserve_tables(decoder->profile, counts[FIELD_MAPPING], counts[FIELD_LOCATION], counts[FIELD_FUNCTION]);
	reserve_lines(decoder);
	uint32_t sample_type_ix = 0;
	struct pb_reader reader = pb_reader_of((const uint8_t *)decoder->bytes.data, decoder->bytes.length);
	struct pb_field field = { 0 };
	while (pb_next(&reader, &field) == PB_OK) {
		if (field.number == FIELD_SAMPLE && field.wire_type == PB_BYTES)
			continue;
		if (field.number == 0 || field.number > LAST_FIELD)
			continue;
		if (!read_table_field(decoder, &field, &sample_type_ix))
			return false;
	}
	for (size_t i = 0; i < decoder->comment_count; i++) {
		struct str text = profile_str(decoder->profile, string_of(decoder, decoder->comments[i]));
		profile_add_comment(decoder->profile, text);
	}
	return true;
}

/* Ids inside the tables become indices. */
static void resolve_references(struct decoder *decoder)
{
	struct profile *profile = decoder->profile;
	for (uint32_t i = 0; i < profile->line_count; i++) {
		uint64_t id = decoder->line_function_ids[i];
		profile->lines[i].function_ix = id ? id_map_get(&decoder->function_ids, id) : PROFILE_NONE;
	}
	for (uint32_t i = 0; i < profile->location_count; i++)
		profile->locations[i].mapping_ix = id_map_get(&decoder->mapping_ids, decoder->location_mapping_ids[i]);
}

/* --- third pass: samples -------------------------------------------------------------------------------------------- */

static bool read_label(struct decoder *decoder, const struct pb_field *message, struct sample *sample)
{
	uint64_t v[5] = { 0 };
	if (!read_scalars(decoder, message, v, 4))
		return false;
	if (v[2]) {
		struct label label = { string_of(decoder, v[1]), string_of(decoder, v[2]), 0 };
		uint32_t label_ix = profile_add_labels(decoder->profile, 1);
		decoder->profile->labels[label_ix] = label;
		sample->text_count++;
	} else if (v[3] || v[4]) {
		struct label label = { string_of(decoder, v[1]), string_of(decoder, v[4]), (int64_t)v[3] };
		decoder->number_labels = xgrow(decoder->number_labels, sample->number_count, &decoder->number_label_capacity,
		                               sizeof(struct label));
		decoder->number_labels[sample->number_count++] = label;
	} else {
		string_of(decoder, v[1]); /* a label that says nothing is dropped, but its key must exist */
	}
	return true;
}

/* The stack's next entries, from a packed run of ids or from one id alone. */
static bool read_location_ids(struct decoder *decoder, const struct pb_field *field)
{
	struct profile *profile = decoder->profile;
	const struct id_map *ids = &decoder->location_ids;
	struct pb_reader packed = pb_message(field);
	bool is_packed = field->wire_type == PB_BYTES;
	if (!is_packed && field->wire_type != PB_VARINT)
		return fail(decoder, PB_TYPE_MISMATCH, field->data);
	/* An id takes a byte at least: with room for so many, the loop need not look for it. */
	uint32_t start = profile_add_stack(profile, is_packed ? (uint32_t)field->length : 1);
	uint32_t *to = profile->sample_locations + start;
	uint32_t nil = 0;
	bool good = true;
	if (!is_packed) {
		*to = id_map_get(ids, field->value);
		nil = *to++ == PROFILE_NONE;
	}
	while (is_packed && packed.at < packed.end) {
		uint64_t id;
		if (!(good = pb_varint(&packed, &id)))
			break;
		*to = id_map_get(ids, id);
		nil |= *to++ == PROFILE_NONE;
	}
	profile->sample_location_count = (uint32_t)(to - profile->sample_locations);
	decoder->nil_location |= nil != 0;
	return good || fail(decoder, PB_BAD_VARINT, packed.at);
}

/* A repeated number, packed or single, given to `push`. Inlined at each use. */
#define READ_REPEATED(decoder, field, push) \
	do { \
		if ((field)->wire_type == PB_VARINT) { \
			uint64_t number = (field)->value; \
			push; \
		} else if ((field)->wire_type == PB_BYTES) { \
			struct pb_reader packed = pb_message(field); \
			while (packed.at < packed.end) { \
				uint64_t number; \
				if (!pb_varint(&packed, &number)) \
					return fail(decoder, PB_BAD_VARINT, packed.at); \
				push; \
			} \
		} else { \
			return fail(decoder, PB_TYPE_MISMATCH, (field)->data); \
		} \
	} while (0)

static bool read_sample_fields(struct decoder *decoder, struct pb_reader reader, struct sample *sample, int64_t *values,
                               uint32_t *ret_value_count)
{
	uint32_t type_count = decoder->profile->sample_type_count, value_count = 0;
	struct pb_field field;
	enum pb_result result;
	while ((result = pb_next(&reader, &field)) == PB_OK) {
		switch (field.number) {
		case 1:
			if (!read_location_ids(decoder, &field))
				return false;
			break;
		case 2:
			READ_REPEATED(decoder, &field, {
				if (value_count < type_count)
					values[value_count] = (int64_t)number;
				value_count++;
			});
			break;
		case 3:
			if (field.wire_type != PB_BYTES)
				return fail(decoder, PB_TYPE_MISMATCH, reader.at);
			if (!read_label(decoder, &field, sample))
				return false;
			break;
		default:
			break;
		}
	}
	*ret_value_count = value_count;
	return result == PB_END || fail(decoder, result, reader.at);
}

static void check_sample(struct decoder *decoder, uint32_t value_count)
{
	struct profile *profile = decoder->profile;
	if (decoder->invalid.code)
		return;
	if (profile->sample_type_count == 0) {
		error_set(&decoder->invalid, STATUS_INVALID, "missing sample type information");
		return;
	}
	if (value_count != profile->sample_type_count) {
		error_set(&decoder->invalid, STATUS_INVALID, "mismatch: sample has %u values vs. %u types", value_count,
		          profile->sample_type_count);
		return;
	}
	if (decoder->nil_location)
		error_set(&decoder->invalid, STATUS_INVALID, "sample has nil location");
}

static bool read_sample(struct decoder *decoder, const struct pb_field *message)
{
	struct profile *profile = decoder->profile;
	uint32_t sample_ix = profile_add_sample(profile);
	struct sample sample = {
		.location_start = profile->sample_location_count,
		.label_start = profile->label_count,
	};
	uint32_t value_count = 0;
	decoder->nil_location = false;
	if (!read_sample_fields(decoder, pb_message(message), &sample, profile_values(profile, sample_ix), &value_count))
		return false;
	sample.location_count = profile->sample_location_count - sample.location_start;
	if (sample.number_count) {
		uint32_t at = profile_add_labels(profile, sample.number_count);
		memcpy(profile->labels + at, decoder->number_labels, sample.number_count * sizeof(struct label));
	}
	profile->samples[sample_ix] = sample;
	check_sample(decoder, value_count);
	return true;
}

/* Gives pages that were read back to the system: samples are most of a large profile, and their arrays grow as fast as
 * their bytes are used up. `*released` is how far that has gone. Only for memory that the decoder may spoil. */
#define RELEASE_STEP ((size_t)256 * 1024)
static void release_read_pages(const uint8_t *upto, uintptr_t *released)
{
	if ((uintptr_t)upto < *released + RELEASE_STEP)
		return;
	madvise((void *)*released, RELEASE_STEP, MADV_DONTNEED); /* advice: failing costs only memory */
	*released += RELEASE_STEP;
}

/* After the first samples the rest can be guessed: stacks and labels then need not grow step by step, which would leave
 * holes behind them. Untouched memory costs nothing, so the guess is generous. */
#define SAMPLES_BEFORE_GUESS 4096
static void reserve_rest(struct decoder *decoder)
{
	struct profile *profile = decoder->profile;
	uint32_t sample_total = decoder->counts[FIELD_SAMPLE];
	double share = 1.1 * sample_total / profile->sample_count, most = (double)decoder->bytes.length;
	double entries = profile->sample_location_count * share, labels = profile->label_count * (share - 1);
	/* However the samples differ, there cannot be more of anything than there are bytes. */
	profile_reserve_samples(profile, sample_total, (size_t)(entries < most ? entries : most));
	labels = labels < most ? labels : most;
	if (labels < UINT32_MAX - profile->label_count)
		profile->label_count = profile_add_labels(profile, (uint32_t)labels);
}

static bool read_samples(struct decoder *decoder, bool may_spoil)
{
	struct profile *profile = decoder->profile;
	profile_reserve_samples(profile, decoder->counts[FIELD_SAMPLE], 0);
	const uint8_t *start = (const uint8_t *)decoder->bytes.data;
	struct pb_reader reader = pb_reader_of(start, decoder->bytes.length);
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t released = ((uintptr_t)start + page - 1) / page * page;
	struct pb_field field = { 0 };
	while (pb_next(&reader, &field) == PB_OK) {
		if (field.number != FIELD_SAMPLE)
			continue;
		if (!read_sample(decoder, &field))
			return false;
		if (profile->sample_count == SAMPLES_BEFORE_GUESS)
			reserve_rest(decoder);
		if (may_spoil)
			release_read_pages(field.data, &released);
	}
	return true;
}

/* --- validity of what was read ----------------------------------------------------------------------------------- */

static enum status check_lines(const struct profile *profile, struct error *err)
{
	for (uint32_t i = 0; i < profile->location_count; i++) {
		const struct location *location = &profile->locations[i];
		const struct line *lines = profile_lines(profile, location);
		for (uint32_t k = 0; k < location->line_count; k++) {
			if (lines[k].function_ix == PROFILE_NONE)
				return error_set(err, STATUS_INVALID, "location id: %llu has a line with nil function",
				                 (unsigned long long)location->id);
		}
	}
	return STATUS_OK;
}

enum status profile_check(const struct profile *profile, struct error *err)
{
	if (profile->sample_type_count == 0 && profile->sample_count > 0)
		return error_set(err, STATUS_INVALID, "missing sample type information");
	for (uint32_t i = 0; i < profile->sample_count; i++) {
		const struct sample *sample = &profile->samples[i];
		const uint32_t *stack = profile_stack(profile, sample);
		uint32_t nil = 0; /* collected, not tested at each: this is a pass over all stacks */
		for (uint32_t k = 0; k < sample->location_count; k++)
			nil |= stack[k] >= profile->location_count;
		if (nil)
			return error_set(err, STATUS_INVALID, "sample has nil location");
	}
	return check_lines(profile, err);
}

static enum status decode_failure(struct decoder *decoder)
{
	/* Whatever else is wrong behind the place where the second profile begins. */
	if (decoder->second_profile_at && (!decoder->trouble_at || decoder->second_profile_at <= decoder->trouble_at))
		return error_set(decoder->err, STATUS_UNSUPPORTED, "concatenated profiles detected");
	if (decoder->bad_first_string)
		return error_set(decoder->err, STATUS_FORMAT, "string_table[0] must be ''");
	if (decoder->bad_string)
		return error_set(decoder->err, STATUS_FORMAT, "malformed profile format");
	long long offset = (long long)(decoder->trouble_at - (const uint8_t *)decoder->bytes.data);
	return error_set_at(decoder->err, offset, STATUS_FORMAT, "%s", pb_result_text(decoder->trouble));
}

static enum status decode_checked(struct decoder *decoder, bool may_spoil)
{
	if (!count_fields(decoder) || decoder->bad_first_string || !read_strings(decoder) || !read_tables(decoder))
		return decode_failure(decoder);
	resolve_references(decoder);
	if (!read_samples(decoder, may_spoil) || decoder->bad_string)
		return decode_failure(decoder);
	if (decoder->invalid.code) {
		*decoder->err = decoder->invalid;
		return STATUS_INVALID;
	}
	/* Ids of mappings and functions are checked before locations are looked at; a location's id before its lines. */
	if (decoder->duplicate_rank < 2 || (decoder->duplicate.code && check_lines(decoder->profile, NULL) == STATUS_OK)) {
		*decoder->err = decoder->duplicate;
		return STATUS_INVALID;
	}
	return check_lines(decoder->profile, decoder->err);
}

enum status profile_decode(struct str bytes, bool may_spoil, struct profile *ret_profile, struct error *err)
{
	struct error unused;
	struct profile profile;
	profile_init(&profile);
	struct decoder decoder = {
		.profile = &profile,
		.bytes = bytes,
		.err = err ? err : &unused,
		.duplicate_rank = 3,
	};
	enum status status = decode_checked(&decoder, may_spoil);
	id_map_release(&decoder.mapping_ids);
	id_map_release(&decoder.function_ids);
	id_map_release(&decoder.location_ids);
	free(decoder.strings);
	free(decoder.line_function_ids);
	free(decoder.location_mapping_ids);
	free(decoder.comments);
	free(decoder.number_labels);
	if (status == STATUS_OK)
		*ret_profile = profile;
	else
		profile_release(&profile);
	return status;
}
