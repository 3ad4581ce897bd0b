/* test_merge.c - profiles added, subtracted, made compatible and scaled. */
#include "make_profile.h"

#include "profile/labels.h"
#include "profile/merge.h"

static enum status merge_two(struct profile *a, struct profile *b, struct profile *ret_merged, struct error *err)
{
	struct profile *const both[] = { a, b };
	return profile_merge(both, 2, ret_merged, err);
}

static void merge_alone(struct profile *profile, struct profile *ret_merged)
{
	struct profile *const alone[] = { profile };
	assert_int_equal(profile_merge(alone, 1, ret_merged, NULL), STATUS_OK);
}

static void equal_samples_are_added_up(void **state)
{
	(void)state;
	struct profile a, b, merged;
	make_profile(&a, "samples/count cpu/ns");
	SAMPLE(&a, "leaf main", 1, 10);
	SAMPLE(&a, "main", 2, 20);
	SAMPLE(&a, "leaf main", 3, 30);
	make_profile(&b, "samples/count cpu/ns");
	SAMPLE(&b, "other main", 4, 40);
	SAMPLE(&b, "main", 5, 50);
	assert_int_equal(merge_two(&a, &b, &merged, NULL), STATUS_OK);
	assert_samples(&merged, "leaf main: 4 40\nmain: 7 70\nother main: 4 40\n");
	assert_int_equal(merged.location_count, 3);
	assert_int_equal(merged.function_count, 3);
	profile_release(&merged);
	profile_release(&a);
	profile_release(&b);
}

static void labels_tell_samples_apart(void **state)
{
	(void)state;
	struct profile a, merged;
	make_profile(&a, "n/count");
	static const struct {
		const char *key1, *text1, *key2, *text2;
	} texts[] = { { "a", "1", "b", "2" }, { "b", "2", "a", "1" }, { "a", "1", "a", "2" }, { "a", "2", "a", "1" } };
	for (size_t i = 0; i < 4; i++) {
		SAMPLE(&a, "main", 1);
		make_text_label(&a, texts[i].key1, texts[i].text1);
		make_text_label(&a, texts[i].key2, texts[i].text2);
	}
	for (int64_t number = 0; number < 2; number++) {
		SAMPLE(&a, "main", 1);
		make_number_label(&a, "bytes", 16 * number, "");
		SAMPLE(&a, "main", 1);
		make_number_label(&a, "bytes", 16 * number, "kb");
		SAMPLE(&a, "main", 1);
		make_number_label(&a, "bytes", 16 * number, "");
	}
	merge_alone(&a, &merged);
	/* The order of keys does not matter, the order of one key's values does. */
	assert_samples(&merged, "main: 2 a=1 b=2\nmain: 1 a=1 a=2\nmain: 1 a=2 a=1\n"
	                        "main: 2 bytes=0\nmain: 1 bytes=0kb\nmain: 2 bytes=16\nmain: 1 bytes=16kb\n");
	profile_release(&merged);
	profile_release(&a);
}

static void zero_samples_and_unused_entries_vanish(void **state)
{
	(void)state;
	struct profile a, b, merged;
	make_profile(&a, "n/count m/count");
	SAMPLE(&a, "zero gone", 0, 0);
	SAMPLE(&a, "cancelled main", 5, 0);
	SAMPLE(&a, "leaf main", 0, 1);
	make_profile(&b, "n/count m/count");
	SAMPLE(&b, "cancelled main", -5, 0);
	assert_int_equal(merge_two(&a, &b, &merged, NULL), STATUS_OK);
	assert_samples(&merged, "leaf main: 0 1\n");
	assert_int_equal(merged.location_count, 2);
	assert_int_equal(merged.function_count, 2);
	assert_int_equal(merged.locations[0].id, 1); /* ids are dense again */
	assert_int_equal(merged.locations[1].id, 2);
	profile_release(&merged);
	profile_release(&a);
	profile_release(&b);
}

static void locations_move_with_their_mapping(void **state)
{
	(void)state;
	struct profile a, b, merged;
	make_profile(&a, "n/count");
	make_mapping(&a, 0x1000, 0x2F00, "/bin/app", "");
	SAMPLE(&a, "f@1100", 1);
	make_profile(&b, "n/count");
	make_mapping(&b, 0x70000, 0x71F01, "/bin/app", ""); /* equal after rounding to pages */
	b.mappings[0].has_functions = true;
	SAMPLE(&b, "f@70100", 1);
	SAMPLE(&b, "f@70200", 1);
	assert_int_equal(merge_two(&a, &b, &merged, NULL), STATUS_OK);
	assert_samples(&merged, "f@1100: 2\nf@1200: 1\n");
	assert_int_equal(merged.mapping_count, 1);
	assert_int_equal(merged.mappings[0].start, 0x1000);
	assert_false(merged.mappings[0].has_functions); /* the first one's flags */
	profile_release(&merged);
	profile_release(&a);
	profile_release(&b);
}

static void mappings_are_one_by_size_offset_and_name(void **state)
{
	(void)state;
	static const struct {
		uint64_t limit, offset;
		const char *file, *build_id;
		uint32_t mapping_count;
	} cases[] = {
		{ 0x3000, 0, "/bin/app", "id", 1 }, { 0x3000, 0, "elsewhere", "id", 1 }, /* the build id says enough */
		{ 0x3000, 0, "/bin/app", "di", 2 }, { 0x3000, 0, "id", "", 1 }, /* a file named as the build id: the same key */
		{ 0x3000, 8, "/bin/app", "id", 2 }, { 0x3001, 0, "/bin/app", "id", 2 },  { 0x2001, 0, "/bin/app", "id", 1 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct profile a, b, merged;
		make_profile(&a, "n/count");
		make_mapping(&a, 0x1000, 0x3000, "/bin/app", "id");
		SAMPLE(&a, "?@1100", 1);
		make_profile(&b, "n/count");
		make_mapping(&b, 0x1000, cases[i].limit, cases[i].file, cases[i].build_id);
		b.mappings[0].offset = cases[i].offset;
		SAMPLE(&b, "?@1100", 1);
		assert_int_equal(merge_two(&a, &b, &merged, NULL), STATUS_OK);
		assert_int_equal(merged.mapping_count, cases[i].mapping_count);
		assert_int_equal(merged.sample_count, cases[i].mapping_count);
		profile_release(&merged);
		profile_release(&a);
		profile_release(&b);
	}
}

static void the_main_binary_stays_first(void **state)
{
	(void)state;
	struct profile a, merged;
	make_profile(&a, "n/count");
	make_mapping(&a, 0x1000, 0x2000, "/bin/main", "");
	make_mapping(&a, 0x5000, 0x6000, "unused.so", "");
	make_mapping(&a, 0x8000, 0x9000, "used.so", "");
	SAMPLE(&a, "f@8100", 1);
	merge_alone(&a, &merged);
	assert_int_equal(merged.mapping_count, 2);
	assert_str(profile_str(&merged, merged.mappings[0].file), "/bin/main");
	assert_str(profile_str(&merged, merged.mappings[1].file), "used.so");
	profile_release(&merged);
	profile_release(&a);
}

static void locations_are_one_by_lines_and_folding(void **state)
{
	(void)state;
	struct profile a, merged;
	make_profile(&a, "n/count");
	SAMPLE(&a, "in:1+out:2@10", 1);
	SAMPLE(&a, "in:1+out:3@10", 1);
	SAMPLE(&a, "out:2@10", 1);
	uint32_t twins[3];
	for (size_t i = 0; i < 3; i++) { /* equal to the first but for one thing */
		SAMPLE(&a, "other@10", 1);
		struct location *location = profile_add_location(&a);
		*location = a.locations[0];
		location->id = a.location_count;
		twins[i] = a.location_count - 1;
		a.sample_locations[a.samples[a.sample_count - 1].location_start] = twins[i];
		uint32_t line_ix = profile_add_lines(&a, 2);
		memcpy(&a.lines[line_ix], &a.lines[0], 2 * sizeof(struct line));
		a.locations[twins[i]].line_start = line_ix;
	}
	a.locations[twins[0]].is_folded = true;
	a.lines[a.locations[twins[1]].line_start + 1].column = 7; /* the last line's column counts */
	a.lines[a.locations[twins[2]].line_start].column = 7;     /* an inner one's does not */
	merge_alone(&a, &merged);
	assert_int_equal(merged.sample_count, 5);
	assert_int_equal(profile_values(&merged, 0)[0], 2);
	profile_release(&merged);
	profile_release(&a);
}

static void functions_are_one_by_names_file_and_start(void **state)
{
	(void)state;
	struct profile a, merged;
	make_profile(&a, "n/count");
	SAMPLE(&a, "f@1", 1);
	SAMPLE(&a, "g@2", 1);
	SAMPLE(&a, "h@3", 1);
	SAMPLE(&a, "i@4", 1);
	SAMPLE(&a, "j@5", 1);
	for (uint32_t i = 1; i < 5; i++) {
		uint64_t id = a.functions[i].id;
		a.functions[i] = a.functions[0];
		a.functions[i].id = id;
	}
	a.functions[1].start_line = 3;
	a.functions[2].system_name = 0;
	a.functions[3].filename = 0;
	merge_alone(&a, &merged);
	assert_int_equal(merged.function_count, 4);
	profile_release(&merged);
	profile_release(&a);
}

static void many_samples_keep_their_order(void **state)
{
	(void)state;
	struct profile a, merged;
	make_profile(&a, "n/count");
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 500; i++) { /* enough that every index of the merger grows */
			char stack[64];
			snprintf(stack, sizeof(stack), "f%u@%x main", i, i + 1);
			SAMPLE(&a, stack, i + 1);
		}
	}
	merge_alone(&a, &merged);
	assert_int_equal(merged.sample_count, 500);
	for (uint32_t i = 0; i < 500; i++) {
		assert_int_equal(profile_values(&merged, i)[0], 2 * (i + 1));
		assert_int_equal(merged.locations[profile_stack(&merged, &merged.samples[i])[0]].address, i + 1);
	}
	profile_release(&merged);
	profile_release(&a);
}

static void headers_are_combined(void **state)
{
	(void)state;
	struct profile a, b, merged;
	make_profile(&a, "n/count m/count");
	make_profile(&b, "n/count m/count");
	a.time_ns = 200, b.time_ns = 100;
	a.duration_ns = 5, b.duration_ns = 7;
	a.period = 10, b.period = 30;
	a.drop_frames = profile_intern_text(&a, "drop");
	b.drop_frames = profile_intern_text(&b, "other");
	b.keep_frames = profile_intern_text(&b, "lost");
	b.default_sample_type = profile_intern_text(&b, "m");
	b.doc_url = profile_intern_text(&b, "http://doc");
	profile_add_comment(&a, STR_LITERAL("one"));
	profile_add_comment(&a, STR_LITERAL("two"));
	profile_add_comment(&b, STR_LITERAL("three"));
	profile_add_comment(&b, STR_LITERAL("one"));
	assert_int_equal(merge_two(&a, &b, &merged, NULL), STATUS_OK);
	assert_int_equal(merged.time_ns, 100);
	assert_int_equal(merged.duration_ns, 12);
	assert_int_equal(merged.period, 30);
	assert_str(profile_str(&merged, merged.drop_frames), "drop");
	assert_int_equal(merged.keep_frames, 0);
	assert_str(profile_str(&merged, merged.default_sample_type), "m");
	assert_str(profile_str(&merged, merged.doc_url), "http://doc");
	assert_int_equal(merged.comment_count, 3);
	assert_str(profile_str(&merged, merged.comments[2]), "three");
	profile_release(&merged);
	b.time_ns = 0; /* unknown, but smaller: it wins */
	assert_int_equal(merge_two(&a, &b, &merged, NULL), STATUS_OK);
	assert_int_equal(merged.time_ns, 0);
	profile_release(&merged);
	assert_int_equal(merge_two(&b, &a, &merged, NULL), STATUS_OK); /* first, it is replaced */
	assert_int_equal(merged.time_ns, 200);
	profile_release(&merged);
	profile_release(&a);
	profile_release(&b);
}

static void unlike_profiles_are_refused(void **state)
{
	(void)state;
	struct profile a, b, merged = { .period = 4711 };
	struct error err;
	make_profile(&a, "n/count m/count");
	make_profile(&b, "n/count m/bytes");
	assert_int_equal(merge_two(&a, &b, &merged, &err), STATUS_INVALID);
	assert_string_equal(err.message, "incompatible sample types [n/count m/count] and [n/count m/bytes]");
	b.period_type.type = profile_intern_text(&b, "cpu");
	assert_int_equal(merge_two(&a, &b, &merged, &err), STATUS_INVALID);
	assert_string_equal(err.message, "incompatible period types / and cpu/");
	assert_int_equal(merged.period, 4711);
	profile_release(&a);
	profile_release(&b);
}

/* --- differences ------------------------------------------------------------------------------------------------------ */

static void a_base_is_subtracted(void **state)
{
	(void)state;
	struct profile a, base, merged;
	make_profile(&a, "n/count");
	SAMPLE(&a, "same main", 5);
	SAMPLE(&a, "grown main", 9);
	make_profile(&base, "n/count");
	SAMPLE(&base, "same main", 5);
	SAMPLE(&base, "grown main", 2);
	SAMPLE(&base, "gone main", 1);
	profile_scale(&base, -1);
	assert_int_equal(merge_two(&a, &base, &merged, NULL), STATUS_OK);
	assert_samples(&merged, "grown main: 7\ngone main: -1\n");
	profile_release(&merged);
	profile_release(&a);
	profile_release(&base);
}

static void the_label_of_a_diff_base_keeps_samples_apart(void **state)
{
	(void)state;
	struct profile a, base, merged;
	make_profile(&a, "n/count");
	SAMPLE(&a, "same main", 5);
	make_profile(&base, "n/count");
	SAMPLE(&base, "same main", 5);
	make_text_label(&base, "pprof::base", "false");
	make_text_label(&base, "kept", "yes");
	make_number_label(&base, "pprof::base", 3, "");
	SAMPLE(&base, "main", 1);
	profile_set_text_label(&base, "pprof::base", "true");
	profile_scale(&base, -1);
	assert_int_equal(merge_two(&a, &base, &merged, NULL), STATUS_OK);
	assert_samples(&merged, "same main: 5\n"
	                        "same main: -5 kept=yes pprof::base=true pprof::base=3\n"
	                        "main: -1 pprof::base=true\n");
	profile_remove_text_label(&merged, "pprof::base");
	profile_remove_text_label(&merged, "no such label");
	assert_samples(&merged, "same main: 5\nsame main: -5 kept=yes pprof::base=3\nmain: -1\n");
	profile_release(&merged);
	profile_release(&a);
	profile_release(&base);
}

static void labels_that_cannot_be_written_go(void **state)
{
	(void)state;
	struct profile a;
	make_profile(&a, "n/count");
	SAMPLE(&a, "a", 1);
	make_text_label(&a, "t", "");
	make_number_label(&a, "n", 0, "");
	make_number_label(&a, "n", 0, "kb");
	make_number_label(&a, "n", 5, "");
	profile_remove_unwritable_labels(&a);
	assert_int_equal(a.samples[0].text_count, 1);
	assert_int_equal(a.samples[0].number_count, 2);
	const struct label *numbers = sample_number_labels(&a, &a.samples[0]);
	assert_string_equal(profile_str(&a, numbers[0].text_ix).data, "kb");
	assert_int_equal(numbers[1].number, 5);
	profile_release(&a);
}

static void scaling_rounds_half_away_from_zero(void **state)
{
	(void)state;
	struct profile a;
	make_profile(&a, "n/count m/count");
	SAMPLE(&a, "a", 5, -5);
	SAMPLE(&a, "b", 1, 0);
	SAMPLE(&a, "c", 0, 0);
	profile_scale(&a, 1); /* does nothing, not even drop what is zero */
	assert_int_equal(a.sample_count, 3);
	profile_scale(&a, 0.3);
	assert_samples(&a, "a: 2 -2\n");
	profile_scale(&a, -1);
	assert_samples(&a, "a: -2 2\n");
	profile_release(&a);
}

static void normalizing_gives_the_sum_of_the_base(void **state)
{
	(void)state;
	struct profile a, base, other;
	struct error err;
	make_profile(&a, "n/count m/count z/count");
	SAMPLE(&a, "x", 1, 1, 0);
	SAMPLE(&a, "y", 3, 2, 0);
	make_profile(&base, "n/count m/count z/count");
	SAMPLE(&base, "x", 10, 3, 5);
	SAMPLE(&base, "z", 30, 0, 0);
	assert_int_equal(profile_normalize(&a, &base, &err), STATUS_OK);
	assert_samples(&a, "x: 10 1 0\ny: 30 2 0\n");
	/* Only columns whose ratio is not 1 decide what is left. */
	make_profile(&other, "n/count m/count z/count");
	SAMPLE(&other, "x", 0, 3, 9);
	SAMPLE(&other, "y", 0, 0, 9);
	assert_int_equal(profile_normalize(&other, &a, &err), STATUS_OK);
	assert_samples(&other, "");
	profile_release(&other);
	make_profile(&other, "n/count");
	assert_int_equal(profile_normalize(&other, &base, &err), STATUS_INVALID);
	assert_non_null(strstr(err.message, "incompatible sample types"));
	profile_release(&other);
	profile_release(&a);
	profile_release(&base);
}

/* --- compatibility ---------------------------------------------------------------------------------------------------- */

static enum status make_two_compatible(struct profile *a, struct profile *b, struct error *err)
{
	struct profile *const both[] = { a, b };
	return profile_make_compatible(both, 2, err);
}

static void common_sample_types_are_kept(void **state)
{
	(void)state;
	struct profile a, b;
	make_profile(&a, "x/count y/count z/count");
	SAMPLE(&a, "f", 1, 2, 3);
	SAMPLE(&a, "g", 4, 5, 6);
	a.default_sample_type = profile_intern_text(&a, "y");
	make_profile(&b, "z/count w/count x/count");
	SAMPLE(&b, "f", 7, 8, 9);
	b.default_sample_type = profile_intern_text(&b, "z");
	assert_int_equal(make_two_compatible(&a, &b, NULL), STATUS_OK);
	assert_samples(&a, "f: 1 3\ng: 4 6\n");
	assert_samples(&b, "f: 9 7\n");
	assert_str(profile_str(&a, a.default_sample_type), "x"); /* y is gone */
	assert_str(profile_str(&b, b.default_sample_type), "z");
	SAMPLE(&a, "h", 1, 1); /* and the arrays still grow */
	assert_int_equal(a.sample_count, 3);
	profile_release(&a);
	profile_release(&b);

	struct error err;
	make_profile(&a, "x/count");
	make_profile(&b, "y/count");
	assert_int_equal(make_two_compatible(&a, &b, &err), STATUS_INVALID);
	assert_string_equal(err.message, "profiles have empty common sample type list");
	profile_release(&a);
	profile_release(&b);
}

static void a_type_named_twice_is_lost_alone(void **state)
{
	(void)state;
	struct profile a;
	make_profile(&a, "x/count y/count x/count");
	SAMPLE(&a, "f", 1, 2, 3);
	struct profile *const alone[] = { &a };
	assert_int_equal(profile_make_compatible(alone, 1, NULL), STATUS_OK);
	assert_samples(&a, "f: 2\n");
	profile_release(&a);
}

static void columns_get_the_finest_unit(void **state)
{
	(void)state;
	struct profile a, b;
	make_profile(&a, "cpu/ms heap/bytes n/count");
	SAMPLE(&a, "f", 2, 2048, 1);
	a.period_type = (struct value_type){ profile_intern_text(&a, "cpu"), profile_intern_text(&a, "ms") };
	a.period = 10;
	make_profile(&b, "cpu/microseconds heap/kb n/count");
	SAMPLE(&b, "f", 3, 4, 1);
	b.period_type = (struct value_type){ profile_intern_text(&b, "cpus"), profile_intern_text(&b, "us") };
	b.period = 10;
	assert_int_equal(make_two_compatible(&a, &b, NULL), STATUS_OK);
	assert_samples(&a, "f: 2000 2048 1\n");
	assert_samples(&b, "f: 3 4096 1\n");
	assert_str(profile_str(&a, a.sample_types[0].unit), "microseconds");
	assert_str(profile_str(&b, b.sample_types[1].unit), "bytes");
	assert_int_equal(a.period, 10000);
	assert_int_equal(b.period, 10);
	profile_release(&a);
	profile_release(&b);
}

static void units_of_two_families_are_refused(void **state)
{
	(void)state;
	struct profile a, b;
	struct error err;
	make_profile(&a, "x/ms");
	make_profile(&b, "x/bytes");
	assert_int_equal(make_two_compatible(&a, &b, &err), STATUS_INVALID);
	assert_string_equal(err.message, "sample types: incompatible types: {x ms} {x bytes}");
	a.period_type.type = profile_intern_text(&a, "cpu");
	assert_int_equal(make_two_compatible(&a, &b, &err), STATUS_INVALID);
	assert_string_equal(err.message, "period type: incompatible types: {cpu } { }");
	profile_release(&a);
	profile_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_samples_are_added_up),
		cmocka_unit_test(labels_tell_samples_apart),
		cmocka_unit_test(zero_samples_and_unused_entries_vanish),
		cmocka_unit_test(locations_move_with_their_mapping),
		cmocka_unit_test(mappings_are_one_by_size_offset_and_name),
		cmocka_unit_test(the_main_binary_stays_first),
		cmocka_unit_test(locations_are_one_by_lines_and_folding),
		cmocka_unit_test(functions_are_one_by_names_file_and_start),
		cmocka_unit_test(many_samples_keep_their_order),
		cmocka_unit_test(headers_are_combined),
		cmocka_unit_test(unlike_profiles_are_refused),
		cmocka_unit_test(a_base_is_subtracted),
		cmocka_unit_test(the_label_of_a_diff_base_keeps_samples_apart),
		cmocka_unit_test(labels_that_cannot_be_written_go),
		cmocka_unit_test(scaling_rounds_half_away_from_zero),
		cmocka_unit_test(normalizing_gives_the_sum_of_the_base),
		cmocka_unit_test(common_sample_types_are_kept),
		cmocka_unit_test(a_type_named_twice_is_lost_alone),
		cmocka_unit_test(columns_get_the_finest_unit),
		cmocka_unit_test(units_of_two_families_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
