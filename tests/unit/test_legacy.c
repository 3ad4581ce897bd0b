/* test_legacy.c - each legacy format with an answer known beforehand, the rules of memory maps, and what is
 * refused. Random files against the reference are tests/differential/. */
#include "make_profile.h"

#include "profile/codec.h"
#include "profile/legacy.h"

/* --- a profile as text ------------------------------------------------------------------------------------------- */

static void append_sample(const struct profile *profile, uint32_t sample_ix, struct buffer *to)
{
	const struct sample *sample = &profile->samples[sample_ix];
	for (uint32_t k = 0; k < profile->sample_type_count; k++)
		buffer_printf(to, "%lld ", (long long)profile_values(profile, sample_ix)[k]);
	buffer_append_text(to, "@");
	for (uint32_t i = 0; i < sample->location_count; i++) {
		const struct location *location = &profile->locations[profile_stack(profile, sample)[i]];
		buffer_append_char(to, ' ');
		if (location->address)
			buffer_printf(to, "%llx", (unsigned long long)location->address);
		if (location->line_count) {
			const struct line *line = profile_lines(profile, location);
			const struct function *function = &profile->functions[line->function_ix];
			buffer_printf(to, "%.*s(%.*s:%lld)", STR_ARG(profile_str(profile, function->name)),
			              STR_ARG(profile_str(profile, function->filename)), (long long)line->line);
		}
		if (location->mapping_ix != PROFILE_NONE)
			buffer_printf(to, "/%u", location->mapping_ix + 1);
	}
	if (sample->number_count)
		buffer_printf(to, " %.*s=%lld", STR_ARG(profile_str(profile, profile->labels[sample->label_start].key)),
		              (long long)profile->labels[sample->label_start].number);
	buffer_append_char(to, '\n');
}

/* "TYPE/UNIT ... per PERIOD TYPE/UNIT", a line for each sample, a line for each mapping. */
static void append_profile(const struct profile *profile, struct buffer *to)
{
	for (uint32_t k = 0; k < profile->sample_type_count; k++)
		buffer_printf(to, "%.*s/%.*s ", STR_ARG(profile_str(profile, profile->sample_types[k].type)),
		              STR_ARG(profile_str(profile, profile->sample_types[k].unit)));
	buffer_printf(to, "per %lld %.*s/%.*s\n", (long long)profile->period,
	              STR_ARG(profile_str(profile, profile->period_type.type)),
	              STR_ARG(profile_str(profile, profile->period_type.unit)));
	for (uint32_t i = 0; i < profile->sample_count; i++)
		append_sample(profile, i, to);
	for (uint32_t i = 0; i < profile->mapping_count; i++) {
		const struct mapping *mapping = &profile->mappings[i];
		buffer_printf(to, "%llx-%llx %llx %.*s %.*s\n", (unsigned long long)mapping->start,
		              (unsigned long long)mapping->limit, (unsigned long long)mapping->offset,
		              STR_ARG(profile_str(profile, mapping->file)), STR_ARG(profile_str(profile, mapping->build_id)));
	}
}

static void parse(struct profile *profile, struct str bytes)
{
	struct error err = { 0 };
	if (profile_parse_legacy(bytes, profile, &err) != STATUS_OK)
		fail_msg("%s", err.message);
	assert_int_equal(profile_check(profile, &err), STATUS_OK);
}

static void assert_parsed_bytes(struct str bytes, const char *expected)
{
	struct profile profile;
	parse(&profile, bytes);
	struct buffer text;
	buffer_init(&text, BUFFER_UNLIMITED);
	append_profile(&profile, &text);
	assert_string_equal(buffer_text(&text), expected);
	buffer_release(&text);
	profile_release(&profile);
}

static void assert_parsed(const char *text, const char *expected)
{
	assert_parsed_bytes(str_of(text), expected);
}

static void assert_refused(const char *text, const char *expected)
{
	struct profile profile;
	struct error err = { 0 };
	assert_int_not_equal(profile_parse_legacy(str_of(text), &profile, &err), STATUS_OK);
	assert_string_equal(err.message, expected);
}

#define EVERYTHING "0-ffffffffffffffff 0  \n"

/* --- formats ------------------------------------------------------------------------------------------------------ */

static size_t put_words(char *to, size_t word_size, bool big_endian, const uint64_t *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t b = 0; b < word_size; b++)
			*to++ = (char)(words[i] >> (8 * (big_endian ? word_size - 1 - b : b)));
	}
	return count * word_size;
}

static void cpu_profiles_are_read_in_any_word_layout(void **state)
{
	(void)state;
	static const uint64_t words[] = { 0, 3, 0, 10000, 0, 2, 2, 0x401000, 0x402000, 1, 1, 0x403000, 0, 1, 0 };
	static const char map[] = "00400000-00500000 r-xp 00000000 00:00 1 /bin/prog\n";
	for (int layout = 0; layout < 4; layout++) {
		char bytes[512];
		size_t size = put_words(bytes, layout < 2 ? 4 : 8, layout % 2, words, sizeof(words) / sizeof(*words));
		memcpy(bytes + size, map, sizeof(map) - 1);
		assert_parsed_bytes((struct str){ bytes, size + sizeof(map) - 1 },
		                    "samples/count cpu/nanoseconds per 10000000 cpu/nanoseconds\n"
		                    "2 20000000 @ 401000/1 401fff/1\n1 10000000 @ 403000/1\n400000-500000 0 /bin/prog \n");
	}
}

static void handler_frames_and_repeated_leaves_are_dropped(void **state)
{
	(void)state;
	static const uint64_t words[] = { 0, 3, 0, 1, 0, 1, 3, 0x10, 0x99, 0x20, 1, 3, 0x11, 0x99, 0x11, 0, 1, 0 };
	char bytes[512];
	size_t size = put_words(bytes, 8, false, words, sizeof(words) / sizeof(*words));
	/* 0x98 is every second frame; then 0x10 is 0x11 once more, less one. */
	assert_parsed_bytes((struct str){ bytes, size }, "samples/count cpu/nanoseconds per 1000 cpu/nanoseconds\n"
	                                                 "1 1000 @ 10/1 1f/1\n1 1000 @ 11/1\n" EVERYTHING);
}

static void cut_cpu_profiles_end_in_zeros_or_are_refused(void **state)
{
	(void)state;
	static const uint64_t words[] = { 0, 3, 0, 1, 0, 7, 2, 0x10 };
	char bytes[512];
	size_t size = put_words(bytes, 8, false, words, 8);
	assert_parsed_bytes((struct str){ bytes, size }, "samples/count cpu/nanoseconds per 1000 cpu/nanoseconds\n"
	                                                 "7 7000 @ 10/1\n" EVERYTHING);
	struct profile profile;
	assert_int_equal(profile_parse_legacy((struct str){ bytes, size - 9 }, &profile, NULL), STATUS_FORMAT);
}

static void java_cpu_profiles_have_names_for_addresses(void **state)
{
	(void)state;
	static const uint64_t words[] = { 0, 3, 1, 1000, 0, 1, 2, 0x10, 0x20, 0, 1, 0 };
	char bytes[512];
	size_t size = put_words(bytes, 8, false, words, sizeof(words) / sizeof(*words));
	static const char names[] = "0x10 a.B.c (B.java:7)\n0x20 GC\n0x30 unused (C.java:1)";
	memcpy(bytes + size, names, sizeof(names) - 1);
	assert_parsed_bytes((struct str){ bytes, size + sizeof(names) - 1 },
	                    "samples/count cpu/nanoseconds per 1000000 cpu/nanoseconds\n"
	                    "1 1000000 @ a.B.c(B.java:7) GC(:0)\n");
}

static void sampled_heap_rows_are_scaled_to_what_they_stand_for(void **state)
{
	(void)state;
	assert_parsed("heap profile: 3: 300 [5: 900] @ heap/1024\n1: 100 [2: 300] @ 0x1001 0x2001\n",
	              "alloc_objects/count alloc_space/bytes inuse_objects/count inuse_space/bytes per 512 space/bytes\n"
	              "7 1181 5 563 @ 1000/1 2000/1 bytes=100\n" EVERYTHING);
}

static void heap_kinds_have_their_periods(void **state)
{
	(void)state;
	static const char row[] = "2: 64 [2: 64] @ 0x11\n";
	static const struct {
		const char *kind, *values;
		int period;
	} cases[] = {
		{ "heapprofile", "2 64", 1 }, { "growthz", "2 64", 1 }, { "fragmentation", "2 64", 1 },
		{ "heap_v2/1", "2 64", 1 },   { "heap_v2", "2 64", 0 }, { "heapz_v2/64", "5 162", 64 },
		{ "heap/128", "5 162", 64 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[256], expected[256];
		snprintf(text, sizeof(text), "heap profile: 2: 64 [ 2: 64] @ %s\n%s", cases[i].kind, row);
		snprintf(expected, sizeof(expected), "objects/count space/bytes per %d space/bytes\n%s @ 10/1 bytes=32\n%s",
		         cases[i].period, cases[i].values, EVERYTHING);
		assert_parsed(text, expected);
	}
}

static void stacks_are_counted(void **state)
{
	(void)state;
	assert_parsed(
			"# comment\n\ngoroutine profile: total 3\n010 @ 0x11 0x21\n#\t0x10\tmain.main\n\n1 @ 0x21\n---\nbroken\n",
			"goroutine/count per 1 goroutine/count\n8 @ 10/1 20/1\n1 @ 20/1\n" EVERYTHING);
	assert_refused("goroutine profile: total 3\n1 @ 0x11 \n", "malformed profile format");
	assert_refused("goroutine profile: total 3\n1 @ 0x10000000000000000\n", "malformed profile format");
}

static void threads_are_counted(void **state)
{
	(void)state;
	assert_parsed(
			"--- threadz 1 ---\n\n--- Thread 7f01 (name: main/1) stack: ---\n  PC: 0x10 f()\n  creator: 0x21 0x31\n"
			"--- Thread 7f02 (name: a/b/2) stack: ---\n  [same as previous thread]\n"
			"--- Thread 7f03 (name: c/3) stack: ---\n 0x40\n--- Memory map: ---\n1-100: /bin/a\n",
			"thread/count per 1 thread/count\n2 @ 10/1 20/1 30/1\n1 @ 40/1\n1-100 0 /bin/a \n");
	assert_refused("--- threadz 1 ---\n--- Thread 7f01 (name: main/1) stack: ---\n 0x1\n",
	               "unrecognized profile format");
}

static void contention_is_scaled_by_clock_and_period(void **state)
{
	(void)state;
	assert_parsed("--- contentionz 1 ---\ncycles/second = 2000000000\nsampling period = 100\nms since reset = 5\n"
	              "discarded samples = 1\n  30 2 @ 0x11 0x21\n",
	              "contentions/count delay/nanoseconds per 100 contentions/count\n200 1500 @ 10/1 20/1\n" EVERYTHING);
	assert_parsed("--- mutex:\n123 @ 0x11\n",
	              "contentions/count delay/nanoseconds per 1 contentions/count\n3 12 @ 10/1\n" EVERYTHING);
	assert_refused("--- mutex:\nstrange = 1\n", "unrecognized profile format");
}

static void java_texts_have_names_for_addresses(void **state)
{
	(void)state;
	assert_parsed("--- heapz 1 ---\nformat = java\nresolution = bytes\n  1048576 2 @ 0x10 0x20 0x30\n\n"
	              " 0x10 a.B.c (B.java:-1)\n 0x20 libjvm (/usr/lib/libjvm.so)\n 0x30 generated stub/JIT\n",
	              "inuse_objects/count inuse_space/bytes per 0 /\n"
	              "3 1658822 @ a.B.c(B.java:0) libjvm(libjvm.so:0) STUB(:0) bytes=524288\n");
	assert_parsed(
			"--- contentionz 1 ---\nformat = java\nresolution = microseconds\nsampling period = 10\n 5 2 @ 0x10 0x77\n"
			"0x10 f  (x:3)\n",
			"contentions/count delay/microseconds per 10 contentions/count\n20 50 @ f (x:3) /1\n" EVERYTHING);
	assert_refused("--- heapz 1 ---\nformat = java\n 1 1 @ 0x1\n", "missing sample type information");
	assert_refused("--- heapz 1 ---\nresolution = b\n1 0 @ 0x1\n",
	               "parsing sample 1 0 @ 0x1: second value must be non-zero");
}

static void jemalloc_dumps_count_all_threads_once(void **state)
{
	(void)state;
	assert_parsed("heap_v2/64\n  t*: 2: 64 [0: 0]\n  t0: 2: 64 [0: 0]\n@ 0x11 0x21\n  t*: 2: 64 [0: 0]\n"
	              "  t0: 2: 64 [0: 0]\n\nMAPPED_LIBRARIES:\n00000000-00001000 r-xp 00000000 00:00 1 /bin/a\n",
	              "objects/count space/bytes per 64 space/bytes\n5 162 @ 10/1 20/1 bytes=32\n0-1000 0 /bin/a \n");
	assert_parsed("heap_v2/1\n  t*: 0: 0 [3: 96]\n@ 0x11\n  t*: 0: 0 [3: 96]\n",
	              "alloc_objects/count alloc_space/bytes inuse_objects/count inuse_space/bytes per 1 space/bytes\n"
	              "3 96 0 0 @ 10/1 bytes=32\n" EVERYTHING);
	assert_refused("heap_v2/64\n@ 0x11\n", "malformed profile format");
	assert_refused("heap_v2/64\n", "malformed profile format");
	assert_refused("heap_v2/64\n t*: 1: 1 [0: 0]\n@ 0x1\n t*: 1: x [0: 0]\n", "malformed profile format");
}

/* --- memory maps --------------------------------------------------------------------------------------------------- */

/* Reads a map under a stack of the addresses (less one), and compares all but the first line. */
static void assert_map(const char *stack, const char *map, const char *expected)
{
	char text[1024], whole[1024];
	snprintf(text, sizeof(text), "n profile: total 1\n1 @ %s\n--- Memory map: ---\n%s", stack, map);
	snprintf(whole, sizeof(whole), "n/count per 1 n/count\n%s", expected);
	assert_parsed(text, whole);
}

static void map_lines_come_in_two_notations(void **state)
{
	(void)state;
	assert_map("0x11", "10-20 r-xp 30 fd:01 12345    /bin/a\n20-30 rw-p 0 0:0 0\n40-50\n",
	           "1 @ 10/1\n10-20 30 /bin/a \n40-50 0  \n");
	assert_map("0x11", "0x10 0x20: r-x /bin/a (@8) abc123\n", "1 @ 10/1\n10-20 8 /bin/a abc123\n");
	assert_map("0x11", "I0102 file.cc:12] 10-20 /bin/a\n", "1 @ 10/1\n10-20 0 /bin/a \n");
	/* Nothing between two numbers: the last digit is the second. */
	assert_map("0x3", "28\n", "1 @ 2/1\n2-8 0  \n");
	assert_map("0x3", "nonsense\n10000000000000000-2 x\n", "1 @ 2/1\n" EVERYTHING);
}

static void variables_are_replaced_in_later_lines(void **state)
{
	(void)state;
	assert_map("0x11", "10-20 $v/x\nv=/bin\nvv = /no\n20-30 $v/y\n30-40 $vv\n",
	           "1 @ 10/1\n10-20 0 $v/x \n20-30 0 /bin/y \n30-40 0 /binv \n");
}

static void split_entries_are_joined_and_the_program_is_first(void **state)
{
	(void)state;
	assert_map("0x11 0x55",
	           "10-20 r-xp 0 0:0 1 /lib/c.so.6\n20-30 r-xp 10 0:0 1 /lib/c.so.6\n40-50 r-xp 0 0:0 0 [vdso]\n"
	           "50-60 r-xp 0 0:0 1 /bin/a\n",
	           "1 @ 10/3 54/1\n50-60 0 /bin/a \n40-50 0 [vdso] \n10-30 0 /lib/c.so.6 \n");
	assert_map("0x11", "10-20 /anon_hugepage\n20-30 /bin/a\n", "1 @ 10/2\n20-30 0 /bin/a \n" EVERYTHING);
	assert_map("0x401001", "402000-403000 r-xp 2000 0:0 1 /bin/a\n", "1 @ 401000/1\n400000-403000 0 /bin/a \n");
}

static void entries_are_extended_by_their_offset_once(void **state)
{
	(void)state;
	assert_map("0x1501 0x9001 0x2501", "2000-3000 r-xp 1000 0:0 1 /bin/a\n3000-4000 r-xp 1800 0:0 1 /bin/b\n",
	           "1 @ 1500/1 9000/3 2500/1\n1000-3000 0 /bin/a \n3000-4000 1800 /bin/b \n" EVERYTHING);
}

/* --- what is refused ---------------------------------------------------------------------------------------------- */

static void failures_have_the_words_of_the_reference(void **state)
{
	(void)state;
	assert_refused("", "unrecognized profile format");
	assert_refused("hello\n", "unrecognized profile format");
	assert_refused("heap profile: 1: 2 [3: 4] @ strange\n", "unrecognized profile format");
	assert_refused("heap profile: 1: 2 [3: 4] @ heapprofile\nbroken\n",
	               "unexpected number of sample values: got 0, want 6");
	assert_refused("heap profile: 1: 2 [1: 2] @ heapprofile\n0: 5 [1: 2] @ 0x1\n",
	               "inuse count was 0 but inuse bytes was 5");
	assert_refused("heap profile: 1: 2 [1: 2] @ heapprofile\n99999999999999999999: 5 [1: 2] @ 0x1\n",
	               "malformed sample: 99999999999999999999: 5 [1: 2] @ 0x1: strconv.ParseInt: parsing "
	               "\"99999999999999999999\": value out of range");
	assert_refused("--- mutex:\n1 2 @ 0x12345678901234567\n",
	               "malformed sample: 1 2 @ 0x12345678901234567: failed to parse as hex 64-bit number: "
	               "0x12345678901234567");
	assert_refused("--- contentionz 1 ---\nformat=java\nsampling period=0z\n",
	               "failed to parse attribute sampling period=0z: strconv.ParseInt: parsing \"0z\": invalid syntax");
}

static void lines_end_at_64_kib(void **state)
{
	(void)state;
	static char text[70000];
	struct error err;
	struct profile profile;
	memset(text, '#', sizeof(text));
	size_t head = (size_t)sprintf(text, "n profile: total 1\n");
	text[head] = '#';
	text[head + 65535] = '\n';
	assert_int_equal(profile_parse_legacy((struct str){ text, head + 65536 }, &profile, &err), STATUS_OK);
	profile_release(&profile);
	text[head + 65535] = '#';
	assert_int_equal(profile_parse_legacy((struct str){ text, head + 65537 }, &profile, &err), STATUS_FORMAT);
	assert_string_equal(err.message, "bufio.Scanner: token too long");
}

static void maps_that_would_explode_are_refused(void **state)
{
	(void)state;
	struct buffer text;
	buffer_init(&text, BUFFER_UNLIMITED);
	buffer_append_text(&text, "n profile: total 1\n--- Memory map: ---\ng=xxxxxxxxxxxxxxxx\n");
	for (char c = 'h'; c <= 'z'; c++)
		buffer_printf(&text, "%c=$%c$%c$%c$%c\n", c, c - 1, c - 1, c - 1, c - 1);
	struct error err;
	struct profile profile;
	assert_int_equal(profile_parse_legacy(buffer_str(&text), &profile, &err), STATUS_LIMIT);
	assert_string_equal(err.message, "variables of the memory map make its lines too long");
	buffer_release(&text);
}

/* Names that are dropped or kept follow from the sample types. */
static void dropped_frames_follow_from_the_types(void **state)
{
	(void)state;
	static const char *const cases[][3] = {
		{ "heap profile: 1: 2 [1: 2] @ heapprofile\n", "calloc|cfree|malloc|", "runtime\\.panic|" },
		{ "--- mutex:\n", "RecordLockProfileData|(base::)?RecordLockProfileData.*|", "" },
		{ "n profile: total 1\n", "ProfileData::Add|ProfileData::prof_handler|", "" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct profile profile;
		parse(&profile, str_of(cases[i][0]));
		assert_true(str_starts_with(profile_str(&profile, profile.drop_frames), str_of(cases[i][1])));
		assert_true(str_starts_with(profile_str(&profile, profile.keep_frames), str_of(cases[i][2])));
		assert_int_equal(profile.keep_frames != 0, cases[i][2][0] != '\0');
		profile_release(&profile);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cpu_profiles_are_read_in_any_word_layout),
		cmocka_unit_test(handler_frames_and_repeated_leaves_are_dropped),
		cmocka_unit_test(cut_cpu_profiles_end_in_zeros_or_are_refused),
		cmocka_unit_test(java_cpu_profiles_have_names_for_addresses),
		cmocka_unit_test(sampled_heap_rows_are_scaled_to_what_they_stand_for),
		cmocka_unit_test(heap_kinds_have_their_periods),
		cmocka_unit_test(stacks_are_counted),
		cmocka_unit_test(threads_are_counted),
		cmocka_unit_test(contention_is_scaled_by_clock_and_period),
		cmocka_unit_test(java_texts_have_names_for_addresses),
		cmocka_unit_test(jemalloc_dumps_count_all_threads_once),
		cmocka_unit_test(map_lines_come_in_two_notations),
		cmocka_unit_test(variables_are_replaced_in_later_lines),
		cmocka_unit_test(split_entries_are_joined_and_the_program_is_first),
		cmocka_unit_test(entries_are_extended_by_their_offset_once),
		cmocka_unit_test(failures_have_the_words_of_the_reference),
		cmocka_unit_test(lines_end_at_64_kib),
		cmocka_unit_test(maps_that_would_explode_are_refused),
		cmocka_unit_test(dropped_frames_follow_from_the_types),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
