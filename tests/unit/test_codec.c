/* test_codec.c - profile.proto to the model and back: the order of bytes, what is accepted, what is refused and how. */
#include "make_profile.h"

#include "profile/codec.h"
#include "wire/gzip.h"
#include "wire/protobuf.h"

/* A profile with something in every field, as the reference writes it (pprof -proto, uncompressed). */
static const char reference[] =
		/* sample types */
		"\x0A\x04\x08\x01\x10\x02"
		"\x0A\x04\x08\x03\x10\x04"
		/* samples: three ids are packed, two values are not; labels by key, texts before numbers */
		"\x12,\x0A\x03\x01\x02\x03\x10\x01\x10\xF6\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01\x1A\x04\x08\x05\x10\x06"
		"\x1A\x04\x08\x07\x10\x08\x1A\x04\x08\x07\x10\x05\x1A\x06\x08\x09\x18\x05 \x0A"
		"\x12\x1D\x08\x02\x08\x03\x10\x00\x10\x00\x1A\x0D\x08\x0A\x18\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"
		"\x1A\x04\x08\x0B \x0C"
		"\x12\x0C\x10\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F\x10\x07"
		/* mappings */
		"\x1A\x14\x08\x01\x10\x80 \x18\x80` \x10(\x0D\x30\x0E\x38\x01@\x01H\x01"
		"\x1A\x0C\x08\x07\x10\x80\xA0\x01\x18\x80\xC0\x01(\x0F"
		/* locations */
		"\x22\x16\x08\x01\x10\x01\x18\x80\x22\x22\x07\x08\x84\x07\x10\x0C\x18\x04\x22\x04\x08\x01\x10\x05"
		"\x22\x0B\x08\x02\x22\x05\x08\x01\x10\xAC\x02(\x01"
		"\x22\x08\x08\x03\x10\x07\x18\x85\xA0\x01"
		/* functions */
		"*\x0A\x08\x01\x10\x10\x18\x10 \x11(\x03"
		"*\x09\x08\x84\x07\x10\x12\x18\x13 \x11"
		/* strings in the order of their first use */
		"2\x00"
		"2\x07samples"
		"2\x05\x63ount"
		"2\x03\x63pu"
		"2\x0Bnanoseconds"
		"2\x01\x61"
		"2\x01x"
		"2\x03key"
		"2\x01\x62"
		"2\x01z"
		"2\x05\x62ytes"
		"2\x01n"
		"2\x02ms"
		"2\x08/bin/app"
		"2\x03\x61\x62\x63"
		"2\x06lib.so"
		"2\x04main"
		"2\x06main.c"
		"2\x05inner"
		"2\x06_inner"
		"2\x06malloc"
		"2\x05panic"
		"2\x03one"
		"2\x04#two"
		"2\x09http://x/"
		/* drop_frames, keep_frames, time, duration, period type, period, comments, default type (always), doc_url */
		"8\x14"
		"@\x15"
		"H\x80\x80\xD8\xD8\xD7\xC1\xC4\xE8\x14"
		"P\x80\xC8\xAF\xA0%"
		"Z\x04\x08\x03\x10\x04"
		"`\x80\xAD\xE2\x04"
		"j\x03\x16\x17\x16"
		"p\x00"
		"x\x18";
#define REFERENCE ((struct str){ reference, sizeof(reference) - 1 })

static void assert_encodes_as_reference(const struct profile *profile)
{
	struct buffer bytes;
	buffer_init(&bytes, 100000);
	profile_encode(profile, &bytes);
	assert_int_equal(bytes.length, REFERENCE.length);
	assert_memory_equal(bytes.data, reference, bytes.length);
	buffer_release(&bytes);
}

static void what_was_read_is_written_byte_for_byte(void **state)
{
	(void)state;
	struct profile profile;
	assert_int_equal(profile_decode(REFERENCE, false, &profile, NULL), STATUS_OK);
	assert_encodes_as_reference(&profile);
	profile_release(&profile);
}

static void every_field_arrives(void **state)
{
	(void)state;
	struct profile profile;
	assert_int_equal(profile_decode(REFERENCE, false, &profile, NULL), STATUS_OK);
	assert_samples(&profile, "inner:12+main:5@1100 main:300 ?@5005: 1 -10 a=x key=b key=a z=5bytes\n"
	                         "main:300 ?@5005: 0 0 bytes=-1 n=0ms\n"
	                         ": 9223372036854775807 7\n");
	assert_int_equal(profile.mapping_count, 2);
	assert_int_equal(profile.mappings[0].offset, 0x10);
	assert_str(profile_str(&profile, profile.mappings[0].build_id), "abc");
	assert_true(profile.mappings[0].has_functions && profile.mappings[0].has_filenames);
	assert_true(profile.mappings[0].has_line_numbers && !profile.mappings[0].has_inline_frames);
	assert_int_equal(profile.mappings[1].id, 7);
	assert_int_equal(profile.locations[2].mapping_ix, 1);
	assert_int_equal(profile.locations[1].mapping_ix, PROFILE_NONE);
	assert_true(profile.locations[1].is_folded);
	assert_int_equal(profile.lines[0].column, 4);
	assert_int_equal(profile.functions[1].id, 900);
	assert_int_equal(profile.functions[0].start_line, 3);
	assert_str(profile_str(&profile, profile.functions[1].system_name), "_inner");
	assert_str(profile_str(&profile, profile.drop_frames), "malloc");
	assert_str(profile_str(&profile, profile.keep_frames), "panic");
	assert_true(profile.time_ns == 1500000000000000000);
	assert_true(profile.duration_ns == 10000000000);
	assert_int_equal(profile.period, 10000000);
	assert_str(profile_str(&profile, profile.period_type.unit), "nanoseconds");
	assert_int_equal(profile.comment_count, 3);
	assert_str(profile_str(&profile, profile.comments[1]), "#two");
	assert_int_equal(profile.default_sample_type, 0);
	assert_str(profile_str(&profile, profile.doc_url), "http://x/");
	profile_release(&profile);
}

/* The order of fields of different numbers is free, and numbers that nobody knows are skipped. */
static void order_and_unknown_fields_do_not_matter(void **state)
{
	(void)state;
	struct buffer shuffled;
	buffer_init(&shuffled, 100000);
	for (int last = 0; last < 2; last++) { /* strings and tables first, samples behind them */
		struct pb_reader reader = pb_reader_of((const uint8_t *)reference, REFERENCE.length);
		struct pb_field field;
		const uint8_t *start = reader.at;
		while (pb_next(&reader, &field) == PB_OK) {
			if ((field.number == 2) == last) {
				buffer_append_text(&shuffled, "\xA0\x1F\x05"); /* number 500: a varint */
				buffer_append(&shuffled, start, (size_t)(reader.at - start));
				buffer_append_text(&shuffled, "\xA5\x1F"
				                              "1234"); /* fixed32 */
				buffer_append_text(&shuffled, "\xA1\x1F"
				                              "12345678");
				buffer_append_text(&shuffled, "\xA2\x1F\x02hi");
			}
			start = reader.at;
		}
	}
	struct profile profile;
	assert_int_equal(profile_decode(buffer_str(&shuffled), false, &profile, NULL), STATUS_OK);
	assert_encodes_as_reference(&profile);
	profile_release(&profile);
	buffer_release(&shuffled);
}

/* --- profiles made field by field ------------------------------------------------------------------------------------- */

/* String indices of put_strings. */
enum { EMPTY, SAMPLES, COUNT, KEY, VALUE, UNIT, STRING_COUNT };

static void put_strings(struct buffer *to)
{
	static const char *const strings[STRING_COUNT] = { "", "samples", "count", "key", "value", "unit" };
	for (size_t i = 0; i < STRING_COUNT; i++)
		pb_put_bytes(to, 6, str_of(strings[i]));
}

static void put_type(struct buffer *to)
{
	size_t mark = pb_begin_message(to, 1);
	pb_put_uint(to, 1, SAMPLES);
	pb_put_uint(to, 2, COUNT);
	pb_end_message(to, mark);
}

/* A mapping, location or function that is nothing but an id. */
static void put_entity(struct buffer *to, uint32_t number, uint64_t id)
{
	size_t mark = pb_begin_message(to, number);
	pb_put_uint(to, 1, id);
	pb_end_message(to, mark);
}

/* Strings, one sample type, locations 1 to 4. */
static void start_profile(struct buffer *to)
{
	buffer_clear(to);
	put_strings(to);
	put_type(to);
	for (uint64_t id = 1; id <= 4; id++)
		put_entity(to, 4, id);
}

static void put_packed(struct buffer *to, uint32_t number, const uint64_t *values, size_t count)
{
	size_t mark = pb_begin_message(to, number);
	for (size_t i = 0; i < count; i++)
		pb_put_varint(to, values[i]);
	pb_end_message(to, mark);
}

static void put_sample(struct buffer *to, uint64_t location_id, size_t value_count)
{
	size_t mark = pb_begin_message(to, 2);
	pb_put_uint(to, 1, location_id);
	for (size_t i = 0; i < value_count; i++)
		pb_put_uint(to, 2, 5);
	pb_end_message(to, mark);
}

static void repeated_numbers_may_be_packed_or_not(void **state)
{
	(void)state;
	static const uint64_t ids[] = { 4, 3, 2, 1 };
	struct buffer bytes;
	buffer_init(&bytes, 100000);
	for (size_t packed = 0; packed <= 4; packed++) {
		start_profile(&bytes);
		size_t mark = pb_begin_message(&bytes, 2);
		for (size_t i = packed; i < 4; i++)
			pb_put_uint(&bytes, 1, ids[i - packed]);
		put_packed(&bytes, 2, (const uint64_t[]){ 9 }, 1);
		put_packed(&bytes, 1, ids + 4 - packed, packed);
		pb_end_message(&bytes, mark);
		struct profile profile;
		assert_int_equal(profile_decode(buffer_str(&bytes), false, &profile, NULL), STATUS_OK);
		const struct sample *sample = &profile.samples[0];
		assert_int_equal(sample->location_count, 4);
		for (uint32_t i = 0; i < 4; i++)
			assert_int_equal(profile.locations[profile_stack(&profile, sample)[i]].id, ids[i]);
		assert_int_equal(profile_values(&profile, 0)[0], 9);
		profile_release(&profile);
	}
	buffer_release(&bytes);
}

static void put_label(struct buffer *to, uint64_t text, uint64_t number, uint64_t unit)
{
	size_t mark = pb_begin_message(to, 3);
	pb_put_uint(to, 1, KEY);
	pb_put_uint(to, 2, text);
	pb_put_uint(to, 3, number);
	pb_put_uint(to, 4, unit);
	pb_end_message(to, mark);
}

static void labels_are_texts_or_numbers_or_lost(void **state)
{
	(void)state;
	struct buffer bytes;
	buffer_init(&bytes, 100000);
	start_profile(&bytes);
	size_t mark = pb_begin_message(&bytes, 2);
	put_label(&bytes, EMPTY, 7, EMPTY);
	put_label(&bytes, VALUE, 0, EMPTY);
	put_label(&bytes, EMPTY, 0, EMPTY); /* says nothing */
	put_label(&bytes, EMPTY, 0, UNIT);
	put_label(&bytes, UNIT, 8, UNIT); /* the text rules */
	pb_put_uint(&bytes, 2, 1);
	pb_end_message(&bytes, mark);
	struct profile profile;
	assert_int_equal(profile_decode(buffer_str(&bytes), false, &profile, NULL), STATUS_OK);
	assert_samples(&profile, ": 1 key=value key=unit key=7 key=0unit\n");
	profile_release(&profile);
	buffer_release(&bytes);
}

static void a_kernel_mapping_names_its_relocation_symbol(void **state)
{
	(void)state;
	struct buffer bytes;
	buffer_init(&bytes, 100000);
	pb_put_bytes(&bytes, 6, STR_LITERAL(""));
	pb_put_bytes(&bytes, 6, STR_LITERAL("[kernel.kallsyms]_stext"));
	pb_put_bytes(&bytes, 6, STR_LITERAL("[kernel.kallsyms]"));
	for (uint64_t i = 1; i <= 2; i++) {
		size_t mark = pb_begin_message(&bytes, 3);
		pb_put_uint(&bytes, 1, i);
		pb_put_uint(&bytes, 5, i);
		pb_end_message(&bytes, mark);
	}
	struct profile profile;
	assert_int_equal(profile_decode(buffer_str(&bytes), false, &profile, NULL), STATUS_OK);
	assert_str(profile_str(&profile, profile.mappings[0].kernel_relocation_symbol), "_stext");
	assert_int_equal(profile.mappings[1].kernel_relocation_symbol, 0);
	profile_release(&profile);
	buffer_release(&bytes);
}

/* --- what is refused -------------------------------------------------------------------------------------------------- */

static void assert_refused(struct buffer *bytes, enum status expected, const char *message)
{
	struct profile untouched = { .period = 4711 }, profile = untouched;
	struct error err = { 0 };
	assert_int_equal(profile_decode(buffer_str(bytes), false, &profile, &err), expected);
	assert_string_equal(err.message, message);
	assert_int_equal(err.code, expected);
	assert_memory_equal(&profile, &untouched, sizeof(profile));
	assert_int_equal(profile_decode(buffer_str(bytes), false, &profile, NULL), expected);
}

static void broken_rules_are_named(void **state)
{
	(void)state;
	struct buffer bytes;
	buffer_init(&bytes, 100000);

	put_strings(&bytes);
	put_sample(&bytes, 1, 0);
	assert_refused(&bytes, STATUS_INVALID, "missing sample type information");

	start_profile(&bytes);
	put_type(&bytes);
	put_sample(&bytes, 1, 3);
	assert_refused(&bytes, STATUS_INVALID, "mismatch: sample has 3 values vs. 2 types");

	start_profile(&bytes);
	put_sample(&bytes, 5, 1);
	assert_refused(&bytes, STATUS_INVALID, "sample has nil location");
	start_profile(&bytes);
	put_sample(&bytes, UINT64_MAX, 1);
	assert_refused(&bytes, STATUS_INVALID, "sample has nil location");
	start_profile(&bytes);
	put_sample(&bytes, 0, 1);
	assert_refused(&bytes, STATUS_INVALID, "sample has nil location");

	static const struct {
		uint32_t number;
		const char *zero, *twice;
	} tables[] = {
		{ 3, "found mapping with reserved ID=0", "multiple mappings with same id: 9" },
		{ 5, "found function with reserved ID=0", "multiple functions with same id: 9" },
		{ 4, "found location with reserved id=0", "multiple locations with same id: 9" },
	};
	for (size_t i = 0; i < 3; i++) {
		start_profile(&bytes);
		put_entity(&bytes, tables[i].number, 0);
		assert_refused(&bytes, STATUS_INVALID, tables[i].zero);
		start_profile(&bytes);
		put_entity(&bytes, tables[i].number, 9);
		put_entity(&bytes, tables[i].number, 9);
		assert_refused(&bytes, STATUS_INVALID, tables[i].twice);
	}
	start_profile(&bytes); /* the first of two */
	for (uint64_t id = 9; id > 7; id--) {
		put_entity(&bytes, 5, id);
		put_entity(&bytes, 5, id);
	}
	assert_refused(&bytes, STATUS_INVALID, "multiple functions with same id: 9");
	/* Mappings are checked before functions, functions before locations, wherever they stand. */
	start_profile(&bytes);
	put_entity(&bytes, 4, 0);
	put_entity(&bytes, 5, 0);
	put_entity(&bytes, 3, 0);
	assert_refused(&bytes, STATUS_INVALID, "found mapping with reserved ID=0");
	buffer_release(&bytes);
}

static void a_line_needs_a_function(void **state)
{
	(void)state;
	struct buffer bytes;
	buffer_init(&bytes, 100000);
	for (uint64_t function_id = 0; function_id < 2; function_id++) {
		start_profile(&bytes);
		size_t mark = pb_begin_message(&bytes, 4);
		pb_put_uint(&bytes, 1, 77);
		size_t line = pb_begin_message(&bytes, 4);
		pb_put_uint(&bytes, 1, function_id);
		pb_end_message(&bytes, line);
		pb_end_message(&bytes, mark);
		assert_refused(&bytes, STATUS_INVALID, "location id: 77 has a line with nil function");
	}
	put_entity(&bytes, 5, 1); /* the missing function; a table may stand behind those that refer to it */
	struct profile profile;
	assert_int_equal(profile_decode(buffer_str(&bytes), false, &profile, NULL), STATUS_OK);
	profile_release(&profile);
	buffer_release(&bytes);
}

static void an_unknown_mapping_is_none(void **state)
{
	(void)state;
	struct buffer bytes;
	buffer_init(&bytes, 100000);
	put_strings(&bytes);
	size_t mark = pb_begin_message(&bytes, 4);
	pb_put_uint(&bytes, 1, 1);
	pb_put_uint(&bytes, 2, 42);
	pb_end_message(&bytes, mark);
	struct profile profile;
	assert_int_equal(profile_decode(buffer_str(&bytes), false, &profile, NULL), STATUS_OK);
	assert_int_equal(profile.locations[0].mapping_ix, PROFILE_NONE);
	profile_release(&profile);
	buffer_release(&bytes);
}

static void glued_profiles_are_noticed(void **state)
{
	(void)state;
	struct buffer bytes;
	buffer_init(&bytes, 100000);
	buffer_append_str(&bytes, REFERENCE);
	buffer_append_str(&bytes, REFERENCE);
	assert_refused(&bytes, STATUS_UNSUPPORTED, "concatenated profiles detected");
	/* A second time behind a zero one is no sign. */
	start_profile(&bytes);
	pb_put_uint(&bytes, 9, 0);
	pb_put_uint(&bytes, 9, 5);
	struct profile profile;
	assert_int_equal(profile_decode(buffer_str(&bytes), false, &profile, NULL), STATUS_OK);
	assert_int_equal(profile.time_ns, 5);
	profile_release(&profile);
	buffer_release(&bytes);
}

static void other_bytes_are_no_profile(void **state)
{
	(void)state;
	struct buffer bytes;
	buffer_init(&bytes, 100000);
	pb_put_bytes(&bytes, 6, STR_LITERAL("not empty"));
	assert_refused(&bytes, STATUS_FORMAT, "string_table[0] must be ''");

	start_profile(&bytes);
	pb_put_uint(&bytes, 7, STRING_COUNT);
	assert_refused(&bytes, STATUS_FORMAT, "malformed profile format");
	start_profile(&bytes);
	pb_put_uint(&bytes, 13, UINT64_MAX);
	assert_refused(&bytes, STATUS_FORMAT, "malformed profile format");

	start_profile(&bytes);
	buffer_append_text(&bytes, "\x12\x7F");
	assert_refused(&bytes, STATUS_FORMAT, "a field is longer than what is left");
	start_profile(&bytes);
	buffer_append_text(&bytes, "\x0B");
	assert_refused(&bytes, STATUS_FORMAT, "unknown wire type");
	start_profile(&bytes);
	buffer_append_text(&bytes, "\x48\x80");
	assert_refused(&bytes, STATUS_FORMAT, "bad varint");

	/* Every known field as fixed32, which none is. */
	for (char number = 1; number <= 15; number++) {
		start_profile(&bytes);
		buffer_append_char(&bytes, (char)(number << 3 | PB_FIXED32));
		buffer_append_text(&bytes, "1234");
		assert_refused(&bytes, STATUS_FORMAT, "a field has the wrong wire type");
	}
	/* And inside a sample: ids, values, labels. */
	for (char number = 1; number <= 3; number++) {
		const char inner[] = { '\x12', 5, (char)(number << 3 | PB_FIXED32), '1', '2', '3', '4' };
		start_profile(&bytes);
		buffer_append(&bytes, inner, sizeof(inner));
		assert_refused(&bytes, STATUS_FORMAT, "a field has the wrong wire type");
	}
	buffer_release(&bytes);
}

static void every_cut_of_a_profile_is_handled(void **state)
{
	(void)state;
	for (size_t length = 0; length < REFERENCE.length; length++) {
		char *exact = malloc(length ? length : 1);
		memcpy(exact, reference, length);
		struct profile profile;
		if (profile_decode((struct str){ exact, length }, false, &profile, NULL) == STATUS_OK)
			profile_release(&profile);
		free(exact);
	}
}

/* --- whole files ------------------------------------------------------------------------------------------------------ */

static enum status parse(struct str bytes, struct profile *ret_profile, struct error *err)
{
	struct buffer input;
	buffer_init(&input, BUFFER_UNLIMITED);
	buffer_append_str(&input, bytes);
	enum status status = profile_parse(&input, ret_profile, err);
	assert_null(input.data);
	return status;
}

static void files_may_be_compressed(void **state)
{
	(void)state;
	struct profile profile;
	struct error err;
	assert_int_equal(parse(REFERENCE, &profile, &err), STATUS_OK);
	struct buffer packed;
	buffer_init(&packed, BUFFER_UNLIMITED);
	assert_int_equal(profile_encode_gzip(&profile, &packed, &err), STATUS_OK);
	profile_release(&profile);
	assert_true(gzip_detect(buffer_str(&packed)));
	assert_int_equal(parse(buffer_str(&packed), &profile, &err), STATUS_OK);
	assert_encodes_as_reference(&profile);
	profile_release(&profile);

	assert_int_equal(parse((struct str){ packed.data, packed.length - 1 }, &profile, &err), STATUS_FORMAT);
	assert_non_null(strstr(err.message, "decompressing profile: unexpected EOF"));
	buffer_release(&packed);
}

static void failures_have_the_reference_words(void **state)
{
	(void)state;
	struct profile profile;
	struct error err;
	assert_int_equal(parse(STR_LITERAL(""), &profile, &err), STATUS_FORMAT);
	assert_string_equal(err.message, "parsing profile: empty input file");
	assert_int_equal(parse(STR_LITERAL("this is no profile\n"), &profile, &err), STATUS_FORMAT);
	assert_string_equal(err.message, "parsing profile: unrecognized profile format");
	struct buffer bytes;
	buffer_init(&bytes, 100000);
	start_profile(&bytes);
	put_sample(&bytes, 9, 1);
	assert_int_equal(parse(buffer_str(&bytes), &profile, &err), STATUS_INVALID);
	assert_string_equal(err.message, "malformed profile: sample has nil location");
	buffer_clear(&bytes);
	buffer_append_str(&bytes, REFERENCE);
	buffer_append_str(&bytes, REFERENCE);
	assert_int_equal(parse(buffer_str(&bytes), &profile, &err), STATUS_UNSUPPORTED);
	assert_string_equal(err.message, "parsing profile: concatenated profiles detected");
	assert_int_equal(parse(buffer_str(&bytes), &profile, NULL), STATUS_UNSUPPORTED);
	buffer_release(&bytes);
}

static void a_file_above_the_ceiling_is_refused(void **state)
{
	(void)state;
	struct buffer input;
	buffer_init(&input, BUFFER_UNLIMITED);
	buffer_append_text(&input, "only its length is looked at");
	input.length = PROFILE_CEILING + 1;
	struct profile profile;
	struct error err;
	assert_int_equal(profile_parse(&input, &profile, &err), STATUS_LIMIT);
	assert_non_null(strstr(err.message, "more than the 4294963200 that are accepted"));
	assert_null(input.data);
}

/* --- the model -------------------------------------------------------------------------------------------------------- */

static void a_copy_goes_its_own_way(void **state)
{
	(void)state;
	struct profile profile, copy;
	assert_int_equal(profile_decode(REFERENCE, false, &profile, NULL), STATUS_OK);
	profile_copy(&copy, &profile);
	assert_encodes_as_reference(&copy);
	SAMPLE(&copy, "new frames", 1, 2);
	make_text_label(&copy, "k", "v");
	profile_add_comment(&copy, STR_LITERAL("more"));
	copy.functions[0].name = 0;
	profile_values(&copy, 0)[0] = 99;
	assert_encodes_as_reference(&profile);
	profile_release(&copy);
	profile_release(&profile);
}

static void check_finds_what_edits_broke(void **state)
{
	(void)state;
	struct profile profile;
	struct error err;
	make_profile(&profile, "samples/count");
	SAMPLE(&profile, "leaf main", 1);
	assert_int_equal(profile_check(&profile, &err), STATUS_OK);
	profile.lines[0].function_ix = PROFILE_NONE;
	assert_int_equal(profile_check(&profile, &err), STATUS_INVALID);
	assert_string_equal(err.message, "location id: 1 has a line with nil function");
	profile.sample_locations[1] = PROFILE_NONE;
	assert_int_equal(profile_check(&profile, &err), STATUS_INVALID);
	assert_string_equal(err.message, "sample has nil location");
	profile.sample_type_count = 0;
	assert_int_equal(profile_check(&profile, &err), STATUS_INVALID);
	assert_string_equal(err.message, "missing sample type information");
	profile_release(&profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_read_is_written_byte_for_byte),
		cmocka_unit_test(every_field_arrives),
		cmocka_unit_test(order_and_unknown_fields_do_not_matter),
		cmocka_unit_test(repeated_numbers_may_be_packed_or_not),
		cmocka_unit_test(labels_are_texts_or_numbers_or_lost),
		cmocka_unit_test(a_kernel_mapping_names_its_relocation_symbol),
		cmocka_unit_test(broken_rules_are_named),
		cmocka_unit_test(a_line_needs_a_function),
		cmocka_unit_test(an_unknown_mapping_is_none),
		cmocka_unit_test(glued_profiles_are_noticed),
		cmocka_unit_test(other_bytes_are_no_profile),
		cmocka_unit_test(every_cut_of_a_profile_is_handled),
		cmocka_unit_test(files_may_be_compressed),
		cmocka_unit_test(failures_have_the_reference_words),
		cmocka_unit_test(a_file_above_the_ceiling_is_refused),
		cmocka_unit_test(a_copy_goes_its_own_way),
		cmocka_unit_test(check_finds_what_edits_broke),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
