/* test_filter.c - which frames, samples and labels stay. */
#include "make_profile.h"

#include "profile/filter.h"

/* --- focus, ignore, hide, show ---------------------------------------------------------------------------------------- */

static void make_calls(struct profile *profile)
{
	make_profile(profile, "n/count");
	SAMPLE(profile, "read parse main", 1);
	SAMPLE(profile, "alloc read parse main", 2);
	SAMPLE(profile, "draw main", 4);
	SAMPLE(profile, "inner+draw main", 8);
}

static struct frame_filter_hits filter(struct profile *profile, struct frame_filters filters)
{
	struct frame_filter_hits hits;
	profile_filter_frames(profile, &filters, &hits);
	return hits;
}

static void no_filter_keeps_everything(void **state)
{
	(void)state;
	struct profile profile;
	make_calls(&profile);
	struct frame_filter_hits hits = filter(&profile, (struct frame_filters){ 0 });
	assert_true(hits.focus);
	assert_int_equal(profile.sample_count, 4);
	profile_release(&profile);
}

static void focus_keeps_samples_and_ignore_drops_them(void **state)
{
	(void)state;
	struct profile profile;
	make_calls(&profile);
	struct frame_filter_hits hits =
			filter(&profile, (struct frame_filters){ .focus = containing("parse"), .ignore = containing("alloc") });
	assert_samples(&profile, "read parse main: 1\n");
	assert_true(hits.focus && hits.ignore && !hits.hide && !hits.show);
	profile_release(&profile);

	make_calls(&profile);
	hits = filter(&profile, (struct frame_filters){ .focus = exactly("inner.c") }); /* the file counts too */
	assert_samples(&profile, "inner+draw main: 8\n");
	assert_true(hits.focus);
	profile_release(&profile);

	make_calls(&profile);
	hits = filter(&profile, (struct frame_filters){ .focus = exactly("nowhere"), .ignore = exactly("nowhere") });
	assert_samples(&profile, "");
	assert_false(hits.focus || hits.ignore);
	profile_release(&profile);
}

static void hide_removes_frames(void **state)
{
	(void)state;
	struct profile profile;
	make_calls(&profile);
	struct frame_filter_hits hits = filter(&profile, (struct frame_filters){ .hide = containing("r") });
	assert_samples(&profile, "main: 1\nalloc main: 2\nmain: 4\nmain: 8\n");
	assert_true(hits.hide);
	profile_release(&profile);

	make_calls(&profile);
	filter(&profile, (struct frame_filters){ .hide = exactly("draw") });
	assert_samples(&profile, "read parse main: 1\nalloc read parse main: 2\nmain: 4\ninner main: 8\n");
	profile_release(&profile);

	make_calls(&profile);
	filter(&profile, (struct frame_filters){ .hide = containing(".c") }); /* nothing of any stack is left */
	assert_samples(&profile, "");
	profile_release(&profile);
}

static void show_keeps_only_matching_frames(void **state)
{
	(void)state;
	struct profile profile;
	make_calls(&profile);
	struct frame_filter_hits hits = filter(&profile, (struct frame_filters){ .show = exactly("draw") });
	assert_samples(&profile, "draw: 4\ndraw: 8\n");
	assert_true(hits.show);
	profile_release(&profile);

	/* Focus looks at the frames before hide and show take them away. */
	make_calls(&profile);
	filter(&profile,
	       (struct frame_filters){ .focus = exactly("parse"), .hide = exactly("parse"), .show = containing("a") });
	assert_samples(&profile, "read main: 1\nalloc read main: 2\n");
	profile_release(&profile);

	make_calls(&profile);
	hits = filter(&profile, (struct frame_filters){ .hide = exactly("draw"), .show = exactly("draw") });
	assert_samples(&profile, "");
	assert_true(hits.hide && !hits.show);
	profile_release(&profile);
}

static void a_mapping_matches_for_its_locations(void **state)
{
	(void)state;
	struct profile profile;
	for (int pass = 0; pass < 4; pass++) {
		make_profile(&profile, "n/count");
		make_mapping(&profile, 0x1000, 0x2000, "lib.so", "");
		SAMPLE(&profile, "?@1100 in+f@1200", 1);
		make_mapping(&profile, 0x3000, 0x4000, "app", "");
		SAMPLE(&profile, "?@1100 ?@3100", 2);
		SAMPLE(&profile, "?@3100", 4);
		const struct matcher lib = exactly("lib.so");
		if (pass == 0) {
			filter(&profile, (struct frame_filters){ .focus = lib });
			assert_samples(&profile, "?@1100 in+f@1200: 1\n?@1100 ?@3100: 2\n");
		} else if (pass == 1) {
			filter(&profile, (struct frame_filters){ .ignore = lib });
			assert_samples(&profile, "?@3100: 4\n");
		} else if (pass == 2) {
			filter(&profile, (struct frame_filters){ .hide = lib }); /* all lines go */
			assert_samples(&profile, "?@3100: 2\n?@3100: 4\n");
		} else {
			filter(&profile, (struct frame_filters){ .show = lib }); /* all lines stay; none is none */
			assert_samples(&profile, "in+f@1200: 1\n");
		}
		profile_release(&profile);
	}
}

static void a_stack_without_frames_has_no_focus(void **state)
{
	(void)state;
	struct profile profile;
	make_profile(&profile, "n/count");
	SAMPLE(&profile, "", 1);
	SAMPLE(&profile, "f", 2);
	filter(&profile, (struct frame_filters){ .ignore = exactly("g") });
	assert_samples(&profile, "f: 2\n");
	profile_release(&profile);
}

/* --- show_from -------------------------------------------------------------------------------------------------------- */

static void show_from_cuts_above_the_outermost_match(void **state)
{
	(void)state;
	struct profile profile;
	make_profile(&profile, "n/count");
	SAMPLE(&profile, "leaf work mid work main", 1);
	SAMPLE(&profile, "a+work+b+work+c main", 2);
	SAMPLE(&profile, "leaf main", 4);
	const struct matcher work = exactly("work");
	assert_true(profile_show_from(&profile, &work));
	assert_samples(&profile, "leaf work mid work: 1\na+work+b+work: 2\n");
	const struct matcher nowhere = exactly("nowhere");
	assert_false(profile_show_from(&profile, &nowhere));
	assert_samples(&profile, "");
	profile_release(&profile);
}

static void show_from_takes_a_whole_location_by_its_mapping(void **state)
{
	(void)state;
	struct profile profile;
	make_profile(&profile, "n/count");
	make_mapping(&profile, 0, 0x1000, "lib.so", "");
	SAMPLE(&profile, "leaf a+b@10", 1);
	make_mapping(&profile, 0, 0x1000, "app", "");
	SAMPLE(&profile, "leaf a+b@10 main", 2);
	const struct matcher lib = exactly("lib.so");
	assert_true(profile_show_from(&profile, &lib));
	assert_samples(&profile, "leaf a+b@10: 1\nleaf a+b@10: 2\n");
	profile_release(&profile);
}

/* --- labels ----------------------------------------------------------------------------------------------------------- */

static void make_labels(struct profile *profile)
{
	make_profile(profile, "n/count");
	SAMPLE(profile, "f", 1);
	make_text_label(profile, "user", "ann");
	make_text_label(profile, "path", "/home");
	make_number_label(profile, "bytes", 2048, "bytes");
	make_number_label(profile, "delay", 3, "ms");
	SAMPLE(profile, "g", 2);
	make_text_label(profile, "user", "bob");
	make_text_label(profile, "user", "carol");
	make_number_label(profile, "bytes", 64, "");
	SAMPLE(profile, "h", 4);
}

static void labels_are_removed_by_key(void **state)
{
	(void)state;
	struct profile profile;
	bool show_hit, hide_hit;
	struct matcher none = { 0 }, show = containing("e"), hide = exactly("user"), nowhere = exactly("nowhere");
	make_labels(&profile);
	profile_filter_labels(&profile, &show, &hide, &show_hit, &hide_hit);
	assert_samples(&profile, "f: 1 bytes=2048bytes delay=3ms\ng: 2 bytes=64\nh: 4\n");
	assert_true(show_hit && hide_hit);
	profile_filter_labels(&profile, &none, &nowhere, &show_hit, &hide_hit);
	assert_samples(&profile, "f: 1 bytes=2048bytes delay=3ms\ng: 2 bytes=64\nh: 4\n");
	assert_false(hide_hit);
	profile_filter_labels(&profile, &nowhere, &none, &show_hit, &hide_hit);
	assert_samples(&profile, "f: 1\ng: 2\nh: 4\n");
	assert_false(show_hit);
	profile_release(&profile);
}

static void units_of_number_labels_are_the_first_met(void **state)
{
	(void)state;
	struct profile profile;
	make_profile(&profile, "n/count");
	SAMPLE(&profile, "f", 1);
	make_number_label(&profile, "mixed", 1, "");
	make_number_label(&profile, "mixed", 1, "kb");
	make_number_label(&profile, "mixed", 1, "mb");
	make_number_label(&profile, "request", 1, "");
	make_number_label(&profile, "alignment", 1, "");
	make_number_label(&profile, "plain", 1, "");
	make_number_label(&profile, "mixed", 1, "gb");
	make_number_label(&profile, "mixed", 1, "mb");
	struct number_units units;
	number_units_init(&units, &profile);
	static const char *const expected[][2] = {
		{ "mixed", "kb" }, { "request", "bytes" }, { "alignment", "bytes" }, { "plain", "plain" }, { "absent", "" },
	};
	for (size_t i = 0; i < 5; i++) {
		uint32_t key = profile_intern_text(&profile, expected[i][0]);
		assert_str(profile_str(&profile, number_units_find(&units, key)), expected[i][1]);
	}
	assert_int_equal(units.units[0].ignored_count, 2);
	assert_str(profile_str(&profile, units.units[0].ignored[0]), "gb"); /* by name */
	assert_str(profile_str(&profile, units.units[0].ignored[1]), "mb");
	number_units_release(&units);
	profile_release(&profile);
}

/* --- tagfocus and tagignore ------------------------------------------------------------------------------------------- */

static void ranges_are_told_from_expressions(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool is_range, has_low, has_high;
		double low, high;
		const char *unit;
	} cases[] = {
		{ "5", true, true, true, 5, 5, "" },
		{ "400kb:", true, true, false, 400, 0, "kB" },
		{ ":3mb", true, false, true, 0, 3, "MB" },
		{ "1:10", true, true, true, 1, 10, "" },
		{ "1kb:1mb", true, true, true, 1, 1024, "kB" },
		{ "-5:+5", true, true, true, -5, 5, "" },
		{ "10ms:2s", true, true, true, 10, 2000, "ms" },
		{ "7frobs", true, true, true, 7, 7, "frobs" },
		{ "1kb:5ms", false, false, false, 0, 0, "" }, /* two families */
		{ "1.5mb:", false, false, false, 0, 0, "" },
		{ "1:2:3", false, false, false, 0, 0, "" },
		{ ":", false, false, false, 0, 0, "" },
		{ "", false, false, false, 0, 0, "" },
		{ "kb", false, false, false, 0, 0, "" },
		{ "5 ", false, false, false, 0, 0, "" },
		{ "-", false, false, false, 0, 0, "" },
		{ "1:x", false, false, false, 0, 0, "" },
		{ "9223372036854775808", false, false, false, 0, 0, "" }, /* above 64 bits */
		{ "1:99999999999999999999999999999999999", false, false, false, 0, 0, "" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tag_filter filter = { 0 };
		assert_int_equal(tag_range_parse(str_of(cases[i].text), &filter), cases[i].is_range);
		if (!cases[i].is_range)
			continue;
		assert_int_equal(filter.has_low, cases[i].has_low);
		assert_int_equal(filter.has_high, cases[i].has_high);
		if (filter.has_low)
			assert_float_equal(filter.low, cases[i].low, 1e-9);
		if (filter.has_high)
			assert_float_equal(filter.high, cases[i].high, 1e-9);
		assert_str(filter.range_unit, cases[i].unit);
	}
}

/* What is left of make_labels after the filters. */
static void assert_tags(const struct tag_filter *focus, const struct tag_filter *ignore, const char *expected,
                        bool expected_focus_hit, bool expected_ignore_hit)
{
	struct profile profile;
	struct number_units units;
	bool focus_hit, ignore_hit;
	make_labels(&profile);
	number_units_init(&units, &profile);
	profile_filter_samples_by_tag(&profile, focus, ignore, &units, &focus_hit, &ignore_hit);
	char left[8] = "";
	for (uint32_t i = 0; i < profile.sample_count; i++) {
		const struct location *leaf = &profile.locations[profile_stack(&profile, &profile.samples[i])[0]];
		left[i] = profile_str(&profile, profile.functions[profile_lines(&profile, leaf)->function_ix].name).data[0];
	}
	assert_string_equal(left, expected);
	assert_int_equal(focus_hit, expected_focus_hit);
	assert_int_equal(ignore_hit, expected_ignore_hit);
	number_units_release(&units);
	profile_release(&profile);
}

static const struct tag_filter unset;

static void ranges_select_numbers_in_any_unit_of_the_family(void **state)
{
	(void)state;
	static const struct {
		const char *key, *range, *left;
	} cases[] = {
		{ "", "1kb:2kb", "f" },   { "", "64b", "g" },
		{ "", ":2kb", "fg" },     { "", "3ms:", "f" },
		{ "", "2000us:1s", "f" }, { "bytes", "3ms:", "" },
		{ "delay", "3ms", "f" },  { "bytes", "0b:", "fg" },
		{ "", "2049b:", "" },     { "", "64:", "" } /* no unit is a unit of its own */,
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tag_filter range = { .is_set = true, .has_key = cases[i].key[0] != '\0', .key = str_of(cases[i].key) };
		assert_true(tag_range_parse(str_of(cases[i].range), &range));
		assert_tags(&range, &unset, cases[i].left, cases[i].left[0] != '\0', false);
	}
}

static void expressions_select_by_text(void **state)
{
	(void)state;
	const struct matcher ann_home[] = { containing("user:ann"), containing("path:/home") };
	struct tag_filter all = { .is_set = true, .matchers = ann_home, .matcher_count = 2 };
	assert_tags(&all, &unset, "f", true, false);
	assert_tags(&unset, &all, "gh", true, true);

	const struct matcher ann_bob[] = { exactly("ann"), exactly("carol") };
	struct tag_filter any = {
		.is_set = true, .has_key = true, .key = STR_LITERAL("user"), .matchers = ann_bob, .matcher_count = 2
	};
	assert_tags(&any, &unset, "fg", true, false);
	any.key = STR_LITERAL("use"); /* the key is a whole one */
	assert_tags(&any, &unset, "", false, false);

	const struct matcher ann_carol[] = { containing(":ann"), containing(":carol") };
	struct tag_filter never = { .is_set = true, .matchers = ann_carol, .matcher_count = 2 };
	assert_tags(&never, &unset, "", false, false);
	assert_tags(&unset, &unset, "fgh", true, false);
	assert_tags(&any, &all, "", false, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_filter_keeps_everything),
		cmocka_unit_test(focus_keeps_samples_and_ignore_drops_them),
		cmocka_unit_test(hide_removes_frames),
		cmocka_unit_test(show_keeps_only_matching_frames),
		cmocka_unit_test(a_mapping_matches_for_its_locations),
		cmocka_unit_test(a_stack_without_frames_has_no_focus),
		cmocka_unit_test(show_from_cuts_above_the_outermost_match),
		cmocka_unit_test(show_from_takes_a_whole_location_by_its_mapping),
		cmocka_unit_test(labels_are_removed_by_key),
		cmocka_unit_test(units_of_number_labels_are_the_first_met),
		cmocka_unit_test(ranges_are_told_from_expressions),
		cmocka_unit_test(ranges_select_numbers_in_any_unit_of_the_family),
		cmocka_unit_test(expressions_select_by_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
