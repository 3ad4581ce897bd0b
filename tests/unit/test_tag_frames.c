/* test_tag_frames.c - tagroot and tagleaf: labels as frames. */
#include "make_profile.h"

#include "profile/tag_frames.h"

static void make_requests(struct profile *profile)
{
	make_profile(profile, "n/count");
	SAMPLE(profile, "leaf main", 1);
	make_text_label(profile, "user", "ann");
	make_text_label(profile, "path", "/a");
	make_text_label(profile, "path", "/b");
	make_number_label(profile, "size", 2048, "bytes");
	make_number_label(profile, "plain", 2048, "");
	SAMPLE(profile, "leaf main", 2);
	make_text_label(profile, "user", "ann");
	SAMPLE(profile, "", 4);
}

/* Adds the frames and compares the stacks; a frame without name is written "". */
static void assert_stacks(const char *const *roots, uint32_t root_count, const char *const *leaves, uint32_t leaf_count,
                          const char *unit, const char *expected, bool expected_root_hit, bool expected_leaf_hit)
{
	struct profile profile;
	struct str root_keys[2], leaf_keys[2];
	for (uint32_t i = 0; i < root_count; i++)
		root_keys[i] = str_of(roots[i]);
	for (uint32_t i = 0; i < leaf_count; i++)
		leaf_keys[i] = str_of(leaves[i]);
	bool root_hit, leaf_hit;
	make_requests(&profile);
	profile_add_tag_frames(&profile, root_keys, root_count, leaf_keys, leaf_count, str_of(unit), &root_hit, &leaf_hit);
	for (uint32_t i = 0; i < profile.sample_count; i++)
		profile.samples[i].text_count = profile.samples[i].number_count = 0;
	assert_samples(&profile, expected);
	assert_int_equal(root_hit, expected_root_hit);
	assert_int_equal(leaf_hit, expected_leaf_hit);
	profile_release(&profile);
}

static void the_first_root_key_is_outermost(void **state)
{
	(void)state;
	static const char *const keys[] = { "user", "path" };
	assert_stacks(keys, 2, NULL, 0, "minimum", "leaf main /a,/b ann: 1\nleaf main  ann: 2\n : 4\n", true, false);
}

static void the_last_leaf_key_is_the_leaf(void **state)
{
	(void)state;
	static const char *const keys[] = { "user", "path" };
	assert_stacks(NULL, 0, keys, 2, "minimum", "/a,/b ann leaf main: 1\n ann leaf main: 2\n : 4\n", false, true);
}

static void numbers_are_written_in_the_unit(void **state)
{
	(void)state;
	static const char *const size[] = { "size" }, *const plain[] = { "plain" }, *const absent[] = { "absent" };
	assert_stacks(size, 1, NULL, 0, "minimum", "leaf main 2kB: 1\nleaf main : 2\n: 4\n", true, false);
	assert_stacks(size, 1, NULL, 0, "b", "leaf main 2048B: 1\nleaf main : 2\n: 4\n", true, false);
	assert_stacks(plain, 1, absent, 1, "kb", " leaf main 2048: 1\n leaf main : 2\n : 4\n", true, false);
	assert_stacks(NULL, 0, NULL, 0, "kb", "leaf main: 1\nleaf main: 2\n: 4\n", false, false);
}

static void frames_are_shared_and_their_file_is_the_key(void **state)
{
	(void)state;
	struct profile profile;
	make_requests(&profile);
	const struct str keys[] = { STR_LITERAL("user") };
	bool root_hit, leaf_hit;
	profile.locations[1].id = 40; /* new ids follow the highest */
	profile.functions[0].id = 50;
	profile_add_tag_frames(&profile, keys, 1, keys, 1, STR_LITERAL("minimum"), &root_hit, &leaf_hit);
	assert_int_equal(profile.location_count, 4); /* leaf, main, ann and the nameless one */
	assert_int_equal(profile.function_count, 4);
	const struct location *location = &profile.locations[2];
	assert_int_equal(location->id, 41);
	assert_int_equal(location->address, 0);
	assert_int_equal(location->mapping_ix, PROFILE_NONE);
	const struct function *function = &profile.functions[profile_lines(&profile, location)->function_ix];
	assert_int_equal(function->id, 51);
	assert_str(profile_str(&profile, function->name), "ann");
	assert_int_equal(function->system_name, 0);
	assert_str(profile_str(&profile, function->filename), "user");
	assert_int_equal(profile_lines(&profile, location)->line, 0);
	profile_release(&profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_root_key_is_outermost),
		cmocka_unit_test(the_last_leaf_key_is_the_leaf),
		cmocka_unit_test(numbers_are_written_in_the_unit),
		cmocka_unit_test(frames_are_shared_and_their_file_is_the_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
