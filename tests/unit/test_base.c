/* test_base.c - memory, buffers, tables and output that everything stands on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/duration.h"
#include "base/id_map.h"
#include "base/number.h"
#include "base/out.h"
#include "base/strtab.h"
#include "base/utf8.h"
#include "base/xalloc.h"

/* --- arena ------------------------------------------------------------------------------------------------------------ */

static void arena_blocks_are_aligned_and_apart(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena);
	unsigned char *blocks[300];
	for (size_t i = 0; i < 300; i++) {
		blocks[i] = arena_alloc(&arena, i * 7 + 1);
		assert_int_equal((uintptr_t)blocks[i] % 16, 0);
		memset(blocks[i], (int)(i & 0xFF), i * 7 + 1);
	}
	for (size_t i = 0; i < 300; i++) {
		for (size_t k = 0; k < i * 7 + 1; k++)
			assert_int_equal(blocks[i][k], i & 0xFF);
	}
	arena_release(&arena);
}

static void arena_serves_small_blocks_after_a_large_one(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena);
	char *first = arena_alloc(&arena, 16);
	char *large = arena_alloc_array(&arena, 1024, 1024);
	char *second = arena_alloc(&arena, 16);
	memset(large, 1, 1024 * 1024);
	assert_ptr_equal(second, first + 16);
	arena_release(&arena);
	assert_null(arena.chunks);
	assert_non_null(arena_alloc(&arena, 200000)); /* the first block may be a large one */
	arena_release(&arena);
}

static void arena_copy_ends_in_zero_and_leaves_alignment_alone(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena);
	struct str copy = arena_copy(&arena, (struct str){ "a\0b", 3 });
	assert_int_equal(copy.length, 3);
	assert_memory_equal(copy.data, "a\0b", 4);
	assert_int_equal((uintptr_t)arena_alloc(&arena, 8) % 16, 0);
	struct str empty = arena_copy(&arena, STR_LITERAL(""));
	assert_int_equal(empty.length, 0);
	assert_int_equal(empty.data[0], '\0');
	arena_release(&arena);
}

/* --- buffer ----------------------------------------------------------------------------------------------------------- */

static void buffer_keeps_what_fits_below_its_ceiling(void **state)
{
	(void)state;
	struct buffer buffer;
	buffer_init(&buffer, 8);
	assert_string_equal(buffer_text(&buffer), "");
	buffer_append_text(&buffer, "12345");
	buffer_append_text(&buffer, "6789");
	assert_true(buffer.overflow);
	assert_string_equal(buffer_text(&buffer), "12345");
	buffer_append_text(&buffer, "678"); /* to the brim */
	assert_int_equal(buffer.length, 8);
	assert_null(buffer_reserve(&buffer, 1));
	assert_non_null(buffer_reserve(&buffer, 0));
	buffer_clear(&buffer);
	assert_false(buffer.overflow);
	assert_string_equal(buffer_text(&buffer), "");
	assert_null(buffer_reserve(&buffer, SIZE_MAX));
	assert_true(buffer.overflow);
	buffer_release(&buffer);
}

static void buffer_prints_short_and_long_texts(void **state)
{
	(void)state;
	struct buffer buffer;
	buffer_init(&buffer, 2000);
	char long_text[1000];
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	buffer_printf(&buffer, "%d-%s-", 5, long_text);
	assert_int_equal(buffer.length, 1002);
	assert_memory_equal(buffer.data, "5-xxx", 5);
	assert_string_equal(buffer.data + 1000, "x-");
	buffer_printf(&buffer, "%s", long_text); /* one byte too many */
	assert_true(buffer.overflow);
	assert_int_equal(buffer.length, 1002);
	buffer_release(&buffer);
}

static void buffer_take_hands_over_and_empties(void **state)
{
	(void)state;
	struct buffer buffer;
	buffer_init(&buffer, 100);
	size_t length = 7;
	char *taken = buffer_take(&buffer, &length);
	assert_string_equal(taken, "");
	assert_int_equal(length, 0);
	free(taken);
	memcpy(buffer_reserve(&buffer, 3), "abc", 3);
	buffer_claim(&buffer, 3);
	taken = buffer_take(&buffer, &length);
	assert_string_equal(taken, "abc");
	assert_int_equal(length, 3);
	assert_null(buffer.data);
	assert_int_equal(buffer.ceiling, 100);
	free(taken);
}

/* --- strings ---------------------------------------------------------------------------------------------------------- */

static void strtab_gives_equal_strings_equal_indices(void **state)
{
	(void)state;
	struct arena arena;
	struct strtab table;
	arena_init(&arena);
	strtab_init(&table, 0);
	assert_int_equal(strtab_find(&table, STR_LITERAL("")), 0);
	char text[32];
	for (uint32_t i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "string %u", i);
		assert_int_equal(strtab_add(&table, &arena, str_of(text)), i + 1);
	}
	for (uint32_t i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "string %u", i);
		assert_int_equal(strtab_find(&table, str_of(text)), i + 1);
		assert_int_equal(strtab_add(&table, NULL, str_of(text)), i + 1);
	}
	assert_int_equal(strtab_find(&table, STR_LITERAL("string")), UINT32_MAX);
	assert_int_equal(strtab_add(&table, &arena, (struct str){ "a\0", 2 }), 5001);
	assert_int_equal(strtab_add(&table, &arena, STR_LITERAL("a")), 5002);
	strtab_release(&table);
	arena_release(&arena);
}

static void strtab_copy_goes_its_own_way(void **state)
{
	(void)state;
	struct strtab table, copy;
	strtab_init(&table, 4);
	strtab_add(&table, NULL, STR_LITERAL("one"));
	strtab_copy(&copy, &table);
	assert_int_equal(strtab_add(&copy, NULL, STR_LITERAL("two")), 2);
	assert_int_equal(strtab_find(&table, STR_LITERAL("two")), UINT32_MAX);
	assert_int_equal(strtab_find(&copy, STR_LITERAL("one")), 1);
	for (uint32_t i = 0; i < 100; i++) {
		static char names[100][8];
		snprintf(names[i], sizeof(names[i]), "n%u", i);
		strtab_add(&copy, NULL, str_of(names[i]));
	}
	assert_int_equal(copy.count, 103);
	assert_int_equal(table.count, 2);
	strtab_release(&copy);
	strtab_release(&table);
}

static void base_name_follows_go(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "", "." },   { "/", "/" },    { "//", "/" }, { "a", "a" },     { "a/b", "b" },    { "a/b/", "b" },
		{ "/a", "a" }, { "/a//", "a" }, { ".", "." },  { "a/..", ".." }, { "a/b//c", "c" }, { "C:\\x", "C:\\x" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct str base = str_base_name(str_of(cases[i][0]));
		assert_int_equal(base.length, strlen(cases[i][1]));
		assert_memory_equal(base.data, cases[i][1], base.length);
	}
}

static void strings_compare_by_bytes(void **state)
{
	(void)state;
	assert_true(str_compare(STR_LITERAL("a"), STR_LITERAL("b")) < 0);
	assert_true(str_compare(STR_LITERAL("a"), STR_LITERAL("a")) == 0);
	assert_true(str_compare(STR_LITERAL("a"), STR_LITERAL("")) > 0);
	assert_true(str_compare(STR_LITERAL("a"), STR_LITERAL("aa")) < 0);
	assert_true(str_compare(STR_LITERAL("\xC3\xA9"), STR_LITERAL("z")) > 0);
	assert_true(str_starts_with(STR_LITERAL("abc"), STR_LITERAL("ab")));
	assert_false(str_starts_with(STR_LITERAL("a"), STR_LITERAL("ab")));
	assert_true(str_ends_with(STR_LITERAL("abc"), STR_LITERAL("")));
	assert_false(str_ends_with(STR_LITERAL("c"), STR_LITERAL("bc")));
}

/* --- id_map ----------------------------------------------------------------------------------------------------------- */

static void id_map_holds_dense_and_sparse_ids(void **state)
{
	(void)state;
	struct id_map map;
	id_map_init(&map, 3);
	assert_int_equal(id_map_get(&map, 1), UINT32_MAX);
	assert_int_equal(id_map_get(&map, UINT64_MAX), UINT32_MAX);
	assert_true(id_map_set(&map, 1, 10));
	assert_false(id_map_set(&map, 1, 11));
	assert_int_equal(id_map_get(&map, 1), 11);
	for (uint64_t i = 0; i < 1000; i++)
		assert_true(id_map_set(&map, UINT64_MAX - i * 0x100000001u, (uint32_t)i));
	assert_false(id_map_set(&map, UINT64_MAX, 77));
	assert_int_equal(id_map_get(&map, UINT64_MAX), 77);
	for (uint64_t i = 1; i < 1000; i++)
		assert_int_equal(id_map_get(&map, UINT64_MAX - i * 0x100000001u), i);
	assert_int_equal(id_map_get(&map, 1u << 20), UINT32_MAX);
	assert_int_equal(id_map_get(&map, 0), UINT32_MAX);
	assert_true(id_map_set(&map, 0, 0));
	assert_int_equal(id_map_get(&map, 0), 0);
	id_map_release(&map);
}

/* --- utf8 ------------------------------------------------------------------------------------------------------------- */

static void utf8_takes_a_bad_byte_as_one_character(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint32_t character;
		size_t size;
	} cases[] = {
		{ "a", 'a', 1 },
		{ "\xC3\xA9", 0xE9, 2 },
		{ "\xE2\x82\xAC", 0x20AC, 3 },
		{ "\xF0\x9F\xA6\x80", 0x1F980, 4 },
		{ "\xEF\xBF\xBD", UTF8_BAD, 3 },     /* U+FFFD itself is no error */
		{ "\x80", UTF8_BAD, 1 },             /* continuation without lead */
		{ "\xC0\x80", UTF8_BAD, 1 },         /* overlong */
		{ "\xE0\x9F\xBF", UTF8_BAD, 1 },     /* overlong */
		{ "\xF0\x8F\xBF\xBF", UTF8_BAD, 1 }, /* overlong */
		{ "\xED\xA0\x80", UTF8_BAD, 1 },     /* surrogate */
		{ "\xF4\x90\x80\x80", UTF8_BAD, 1 }, /* above U+10FFFF */
		{ "\xF5\x80\x80\x80", UTF8_BAD, 1 },
		{ "\xE2\x82", UTF8_BAD, 1 }, /* cut */
		{ "\xE2\x28\xA1", UTF8_BAD, 1 },
		{ "\xE2\x82\x28", UTF8_BAD, 1 },
		{ "\xFF", UTF8_BAD, 1 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t size = 0;
		assert_int_equal(utf8_decode(str_of(cases[i].text), &size), cases[i].character);
		assert_int_equal(size, cases[i].size);
		char text[4];
		if (cases[i].size > 1 || cases[i].character < 0x80) {
			assert_int_equal(utf8_encode(cases[i].character, text), size);
			assert_memory_equal(text, cases[i].text, size);
		}
	}
}

static void utf8_counts_as_go_does(void **state)
{
	(void)state;
	assert_int_equal(utf8_count(STR_LITERAL("")), 0);
	assert_int_equal(utf8_count(STR_LITERAL("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\xA6\x80")), 4);
	assert_int_equal(utf8_count(STR_LITERAL("\xE2\x82")), 2); /* two bad bytes */
	assert_int_equal(utf8_count(STR_LITERAL("\xED\xA0\x80z")), 4);
}

/* --- out -------------------------------------------------------------------------------------------------------------- */

static void out_pads_numbers_and_text(void **state)
{
	(void)state;
	struct buffer buffer;
	struct out out;
	buffer_init(&buffer, 10000);
	out_init_buffer(&out, &buffer);
	out_int_right(&out, 0, 3);
	out_char(&out, '|');
	out_int_right(&out, -12345, 3);
	out_char(&out, '|');
	out_int(&out, INT64_MIN);
	out_char(&out, '|');
	out_int(&out, INT64_MAX);
	out_char(&out, '|');
	out_uint(&out, UINT64_MAX);
	out_char(&out, '|');
	out_uint_right(&out, 99, 4);
	out_uint_right(&out, 100, 4);
	out_char(&out, '|');
	out_hex(&out, 0);
	out_char(&out, '|');
	out_hex(&out, UINT64_MAX - 1);
	out_char(&out, '|');
	out_str_right(&out, STR_LITERAL("\xC3\xA9\xFF"), 4); /* é and one bad byte are two characters */
	out_char(&out, '|');
	out_text_right(&out, "long", 2);
	out_char(&out, '|');
	out_repeat(&out, '=', 3);
	out_printf(&out, "|%s", "printed");
	assert_int_equal(out_close(&out, NULL), STATUS_OK);
	assert_string_equal(buffer_text(&buffer),
	                    "  0|-12345|-9223372036854775808|9223372036854775807|18446744073709551615|  99 100|0|"
	                    "fffffffffffffffe|  \xC3\xA9\xFF|long|===|printed");
	buffer_release(&buffer);
}

static void out_writes_every_size_in_order(void **state)
{
	(void)state;
	struct buffer buffer, expected;
	struct out out;
	buffer_init(&buffer, BUFFER_UNLIMITED);
	buffer_init(&expected, BUFFER_UNLIMITED);
	out_init_buffer(&out, &buffer);
	char *piece = xmalloc(3 * OUT_BLOCK);
	for (size_t i = 0; i < 3 * OUT_BLOCK; i++)
		piece[i] = (char)('a' + i % 26);
	static const size_t sizes[] = { 1,  OUT_BLOCK - 1,     OUT_BLOCK,     OUT_BLOCK / 2,
		                            7,  OUT_BLOCK / 2 + 1, 3 * OUT_BLOCK, 100,
		                            600 };
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		out_bytes(&out, piece, sizes[i]);
		buffer_append(&expected, piece, sizes[i]);
	}
	out_printf(&out, "%.*s", 2000, piece);
	buffer_append(&expected, piece, 2000);
	out_repeat(&out, 'z', 100000);
	for (size_t i = 0; i < 100000; i++)
		buffer_append_char(&expected, 'z');
	assert_int_equal(out_close(&out, NULL), STATUS_OK);
	assert_int_equal(buffer.length, expected.length);
	assert_memory_equal(buffer.data, expected.data, expected.length);
	free(piece);
	buffer_release(&buffer);
	buffer_release(&expected);
}

static void out_remembers_a_full_device(void **state)
{
	(void)state;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		skip();
	struct out out;
	struct error err;
	out_init_fd(&out, fd);
	out_repeat(&out, 'x', 3 * OUT_BLOCK);
	assert_int_equal(out.write_errno, ENOSPC);
	out_text(&out, "dropped");
	assert_int_equal(out_close(&out, &err), STATUS_IO);
	assert_int_equal(err.code, STATUS_IO);
	assert_int_equal(err.sys_errno, ENOSPC);
	assert_string_equal(err.message, "write: no space left on device");
	close(fd);
}

static void out_reports_a_failure_of_the_last_flush(void **state)
{
	(void)state;
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	void (*old)(int) = signal(SIGPIPE, SIG_IGN);
	struct out out;
	struct error err;
	out_init_fd(&out, ends[1]);
	out_text(&out, "nobody reads this");
	assert_int_equal(out.write_errno, 0);
	assert_int_equal(out_close(&out, &err), STATUS_IO);
	assert_int_equal(err.sys_errno, EPIPE);
	signal(SIGPIPE, old);
	close(ends[1]);
}

/* --- errors, numbers, durations --------------------------------------------------------------------------------------- */

static void errors_are_cut_not_overrun(void **state)
{
	(void)state;
	struct error err;
	char long_text[ERROR_MESSAGE_SIZE + 100];
	memset(long_text, 'y', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	assert_int_equal(error_set_at(&err, 17, STATUS_FORMAT, "%s", "bad"), STATUS_FORMAT);
	assert_int_equal(err.offset, 17);
	error_prefix(&err, "file %d: ", 3);
	assert_string_equal(err.message, "file 3: bad");
	assert_int_equal(err.code, STATUS_FORMAT);
	error_set(&err, STATUS_INVALID, "%s", long_text);
	assert_int_equal(strlen(err.message), ERROR_MESSAGE_SIZE - 1);
	assert_int_equal(err.offset, ERROR_NO_OFFSET);
	error_prefix(&err, "%s", long_text);
	assert_int_equal(strlen(err.message), ERROR_MESSAGE_SIZE - 1);
	assert_int_equal(error_set_errno(&err, ENOENT, "%s", long_text), STATUS_IO);
	assert_int_equal(strlen(err.message), ERROR_MESSAGE_SIZE - 1);
	error_set_errno(&err, ENOENT, "open %s", "x");
	assert_string_equal(err.message, "open x: no such file or directory");
	assert_int_equal(error_set(NULL, STATUS_LIMIT, "%s", "unseen"), STATUS_LIMIT);
	error_prefix(NULL, "unseen");
}

static void numbers_follow_go(void **state)
{
	(void)state;
	assert_true(int64_from_double(1.9) == 1);
	assert_true(int64_from_double(-1.9) == -1);
	assert_true(int64_from_double(9.3e18) == INT64_MIN);
	assert_true(int64_from_double(-9.3e18) == INT64_MIN);
	assert_true(int64_from_double(0.0 / 0.0) == INT64_MIN);
	assert_true(int64_add(INT64_MAX, 1) == INT64_MIN);
	assert_true(int64_magnitude(INT64_MIN) == INT64_MIN);
	assert_true(int64_magnitude(-5) == 5);
}

static void durations_follow_go(void **state)
{
	(void)state;
	static const struct {
		int64_t ns;
		const char *text;
	} cases[] = {
		{ 0, "0s" },
		{ 1, "1ns" },
		{ 999, "999ns" },
		{ 1500, "1.5\xC2\xB5s" },
		{ 100000000, "100ms" },
		{ 1001000, "1.001ms" },
		{ 2002000000, "2.002s" },
		{ 59999999999, "59.999999999s" },
		{ 60000000000, "1m0s" },
		{ 3605000000000, "1h0m5s" },
		{ 36000500000000, "10h0m0.5s" },
		{ -90000000000, "-1m30s" },
		{ INT64_MAX, "2562047h47m16.854775807s" },
		{ INT64_MIN, "-2562047h47m16.854775808s" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[DURATION_TEXT_SIZE];
		assert_int_equal(duration_text(text, cases[i].ns), strlen(cases[i].text));
		assert_string_equal(text, cases[i].text);
	}
}

static void growth_keeps_elements(void **state)
{
	(void)state;
	size_t capacity = 0;
	uint32_t *numbers = NULL;
	for (uint32_t i = 0; i < 1000; i++) {
		numbers = xgrow(numbers, i, &capacity, sizeof(*numbers));
		numbers[i] = i;
	}
	assert_true(capacity >= 1000 && capacity <= 2048);
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(numbers[i], i);
	numbers = xgrow(numbers, 5000, &capacity, sizeof(*numbers));
	assert_true(capacity > 5000);
	free(numbers);
	char *text = xasprintf("%d%s", 4, "2");
	assert_string_equal(text, "42");
	free(text);
	text = xstrndup("abcdef", 3);
	assert_string_equal(text, "abc");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arena_blocks_are_aligned_and_apart),
		cmocka_unit_test(arena_serves_small_blocks_after_a_large_one),
		cmocka_unit_test(arena_copy_ends_in_zero_and_leaves_alignment_alone),
		cmocka_unit_test(buffer_keeps_what_fits_below_its_ceiling),
		cmocka_unit_test(buffer_prints_short_and_long_texts),
		cmocka_unit_test(buffer_take_hands_over_and_empties),
		cmocka_unit_test(strtab_gives_equal_strings_equal_indices),
		cmocka_unit_test(strtab_copy_goes_its_own_way),
		cmocka_unit_test(base_name_follows_go),
		cmocka_unit_test(strings_compare_by_bytes),
		cmocka_unit_test(id_map_holds_dense_and_sparse_ids),
		cmocka_unit_test(utf8_takes_a_bad_byte_as_one_character),
		cmocka_unit_test(utf8_counts_as_go_does),
		cmocka_unit_test(out_pads_numbers_and_text),
		cmocka_unit_test(out_writes_every_size_in_order),
		cmocka_unit_test(out_remembers_a_full_device),
		cmocka_unit_test(out_reports_a_failure_of_the_last_flush),
		cmocka_unit_test(errors_are_cut_not_overrun),
		cmocka_unit_test(numbers_follow_go),
		cmocka_unit_test(durations_follow_go),
		cmocka_unit_test(growth_keeps_elements),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
