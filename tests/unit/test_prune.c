/* test_prune.c - cutting stacks by drop_frames, keep_frames and prune_from; clearing what a granularity leaves out. */
#include "make_profile.h"

#include "profile/aggregate.h"
#include "profile/prune.h"

static void names_lose_their_parameters(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "main", "main" },
		{ ".main", "main" },
		{ "..main", ".main" },
		{ "f(int)", "f" },
		{ "(anonymous namespace)::f(int)", "(anonymous namespace)::f" },
		{ "C::operator()(int) const", "C::operator()" },
		{ "net.(*conn).serve", "net." },
		{ "(", "" },
		{ ".", "" },
		{ "", "" },
		{ "(anonymous namespace", "" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_str(simplify_function_name(str_of(cases[i][0])), cases[i][1]);
}

/* Prunes one stack and compares what is left. */
static void assert_pruned(const char *stack, struct matcher drop, struct matcher keep, const char *expected)
{
	struct profile profile;
	make_profile(&profile, "n/count");
	SAMPLE(&profile, stack, 1);
	profile_prune_frames(&profile, &drop, &keep);
	assert_samples(&profile, expected);
	profile_release(&profile);
}

static void dropped_frames_take_their_callees_along(void **state)
{
	(void)state;
	const struct matcher none = { 0 }, b = exactly("B");
	assert_pruned("A B C B D", b, none, "D: 1\n");
	assert_pruned("A C D", b, none, "A C D: 1\n");
	assert_pruned("A B", b, none, "A B: 1\n"); /* no user frame above: it stays */
	assert_pruned("B A B B", b, none, "A B B: 1\n");
	assert_pruned("B B", b, none, "B B: 1\n");
	assert_pruned("A B(int) C", b, none, "C: 1\n"); /* the name is simplified */
	assert_pruned("A .B C", b, none, "C: 1\n");
}

static void kept_frames_are_not_dropped(void **state)
{
	(void)state;
	assert_pruned("A run.call main", containing("run."), exactly("run.call"), "A run.call main: 1\n");
	assert_pruned("A run.x run.call main", containing("run."), exactly("run.call"), "run.call main: 1\n");
}

static void inlined_frames_are_cut_inside_their_location(void **state)
{
	(void)state;
	const struct matcher none = { 0 }, b = exactly("B");
	assert_pruned("leaf x+B+y main", b, none, "y main: 1\n");
	assert_pruned("leaf x+B+z+B+y main", b, none, "y main: 1\n");
	assert_pruned("leaf x+B main", b, none, "main: 1\n"); /* the outermost line: the whole location */
	assert_pruned("leaf x+B+y", b, none, "leaf y: 1\n");  /* no user frame above, but the lines are gone */
}

static void prune_from_makes_the_match_the_leaf(void **state)
{
	(void)state;
	static const char *const cases[][3] = {
		{ "A B C B D", "A", "A B C B D: 1\n" }, { "A B C B D", "B", "B C B D: 1\n" },
		{ "A B C B D", "D", "D: 1\n" },         { "A B C B D", "E", "A B C B D: 1\n" },
		{ "A x+B+y D", "B", "B+y D: 1\n" },     { "A x+B+y+B D", "B", "B+y+B D: 1\n" },
		{ "A B(int) D", "B", "B(int) D: 1\n" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct profile profile;
		make_profile(&profile, "n/count");
		SAMPLE(&profile, cases[i][0], 1);
		const struct matcher from = exactly(cases[i][1]);
		profile_prune_from(&profile, &from);
		assert_samples(&profile, cases[i][2]);
		profile_release(&profile);
	}
}

/* --- granularity ------------------------------------------------------------------------------------------------------ */

static void assert_aggregated(struct granularity keep, const char *expected, const char *file)
{
	struct profile profile;
	make_profile(&profile, "n/count");
	make_mapping(&profile, 0, 0x1000, "app", "");
	profile.mappings[0].has_functions = profile.mappings[0].has_filenames = true;
	profile.mappings[0].has_line_numbers = profile.mappings[0].has_inline_frames = true;
	SAMPLE(&profile, "in:3+out:4@10 main:5@20", 1);
	profile.lines[0].column = 9;
	profile_aggregate(&profile, &keep);
	assert_samples(&profile, expected);
	assert_str(profile_str(&profile, profile.functions[0].filename), file);
	if (keep.inlines) /* else the line is not the location's any more */
		assert_int_equal(profile.lines[0].column, keep.columns && keep.line_numbers ? 9 : 0);
	assert_int_equal(profile.mappings[0].has_functions, keep.functions);
	assert_int_equal(profile.mappings[0].has_filenames, keep.filenames);
	assert_int_equal(profile.mappings[0].has_line_numbers, keep.line_numbers);
	assert_int_equal(profile.mappings[0].has_inline_frames, keep.inlines);
	profile_release(&profile);
}

static void granularity_clears_what_it_does_not_keep(void **state)
{
	(void)state;
	assert_aggregated((struct granularity){ .inlines = true, .functions = true }, "in+out main: 1\n", "");
	assert_aggregated((struct granularity){ .inlines = true, .functions = true, .filenames = true }, "in+out main: 1\n",
	                  "in.c");
	assert_aggregated((struct granularity){ .inlines = true, .filenames = true }, "+ : 1\n", "in.c");
	assert_aggregated(
			(struct granularity){ .inlines = true, .functions = true, .filenames = true, .line_numbers = true },
			"in:3+out:4 main:5: 1\n", "in.c");
	assert_aggregated((struct granularity){ .inlines = true, .functions = true, .columns = true }, "in+out main: 1\n",
	                  "");
	assert_aggregated((struct granularity){ .functions = true }, "out main: 1\n", "");
	assert_aggregated((struct granularity){ true, true, true, true, true, true }, "in:3+out:4@10 main:5@20: 1\n",
	                  "in.c");
	assert_aggregated((struct granularity){ true, true, true, true, false, true }, "in:3+out:4@10 main:5@20: 1\n",
	                  "in.c");
	assert_aggregated((struct granularity){ .functions = true, .filenames = true, .addresses = true },
	                  "out@10 main@20: 1\n", "in.c");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_lose_their_parameters),
		cmocka_unit_test(dropped_frames_take_their_callees_along),
		cmocka_unit_test(kept_frames_are_not_dropped),
		cmocka_unit_test(inlined_frames_are_cut_inside_their_location),
		cmocka_unit_test(prune_from_makes_the_match_the_leaf),
		cmocka_unit_test(granularity_clears_what_it_does_not_keep),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
