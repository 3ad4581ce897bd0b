/* test_cpu_rows.c - the table of stacks of a CPU session: sums, growth, the ceiling, names, and that all memory is given back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/collect/cpu_rows.h"
#include "runtime/collect/frame_set.h"
#include "runtime/shared/frames.h"
#include "runtime/shared/losses.h"
#include "runtime/shared/pages.h"
#include "runtime/shared/unloaded.h"

#define OWN ((uintptr_t)0x7777000)

/* In the place of frame_set.c's, which needs the library's text: OWN is ours. */
uint32_t frames_visible(const uintptr_t *frames, uint32_t count, uintptr_t *to)
{
	uint32_t visible = 0;
	for (uint32_t i = 0; i < count; i++)
		if (frames[i] != OWN)
			to[visible++] = frames[i];
	return visible;
}

static void totals(const struct cpu_rows *rows, uint32_t *ret_rows, uint64_t *ret_periods, uint64_t *ret_ns)
{
	*ret_rows = 0;
	*ret_periods = *ret_ns = 0;
	for (const struct cpu_row *row = rows->newest; row; row = row->older) {
		++*ret_rows;
		*ret_periods += row->periods;
		*ret_ns += row->ns;
	}
}

static void equal_stacks_are_one_row(void **state)
{
	struct cpu_rows rows = { 0 };
	const uintptr_t stack[] = { 0x1000, 0x2000, OWN, 0x3000 }, same[] = { 0x1000, OWN, 0x2000, 0x3000 };
	(void)state;
	cpu_rows_add(&rows, stack, 4, 0, 1, 10);
	cpu_rows_add(&rows, same, 4, 0, 3, 30);
	assert_int_equal(rows.count, 1);
	assert_int_equal(rows.newest->periods, 4);
	assert_int_equal(rows.newest->ns, 40);
	assert_int_equal(rows.newest->frame_count, 3);
	assert_int_equal(rows.newest->frames[2], 0x3000);
	cpu_rows_release(&rows);
}

static void prefixes_and_threads_are_told_apart(void **state)
{
	struct cpu_rows rows = { 0 };
	const uintptr_t stack[] = { 0x1000, 0x2000, 0x3000 };
	(void)state;
	cpu_rows_add(&rows, stack, 3, 0, 1, 1);
	cpu_rows_add(&rows, stack, 2, 0, 1, 1);
	cpu_rows_add(&rows, stack, 3, 7, 1, 1);
	cpu_rows_add(&rows, stack, 3, 8, 1, 1);
	cpu_rows_add(&rows, stack, 3, 7, 1, 1);
	assert_int_equal(rows.count, 4);
	cpu_rows_release(&rows);
}

static void many_stacks_keep_their_sums(void **state)
{
	struct cpu_rows rows = { 0 };
	uint64_t before = pages_mapped_bytes();
	(void)state;
	for (int pass = 0; pass < 2; pass++)
		for (uintptr_t i = 0; i < 50000; i++) {
			const uintptr_t stack[] = { 0x100000 + i, 0x2000, 0x3000 + i % 7 };
			cpu_rows_add(&rows, stack, 3, 0, 1, i);
		}
	uint32_t count;
	uint64_t periods, ns;
	totals(&rows, &count, &periods, &ns);
	assert_int_equal(count, 50000);
	assert_int_equal(rows.count, 50000);
	assert_int_equal(periods, 100000);
	assert_int_equal(ns, 2 * (uint64_t)50000 * 49999 / 2);
	for (const struct cpu_row *row = rows.newest; row; row = row->older)
		assert_int_equal(row->ns, 2 * (row->frames[0] - 0x100000));
	assert_true(pages_mapped_bytes() - before >= rows.bytes);
	cpu_rows_release(&rows);
	assert_int_equal(pages_mapped_bytes(), before);
}

static void what_is_beyond_the_ceiling_is_counted(void **state)
{
	struct cpu_rows rows = { 0 };
	uint64_t lost = losses[LOSS_STACKS_FULL], before = pages_mapped_bytes();
	uintptr_t stack[FRAMES_MAX];
	(void)state;
	memset(stack, 1, sizeof(stack));
	for (uintptr_t i = 0; i < 100000; i++) {
		stack[0] = 0x10000 + i;
		cpu_rows_add(&rows, stack, FRAMES_MAX, 0, 1, 5);
	}
	uint32_t count;
	uint64_t periods, ns;
	totals(&rows, &count, &periods, &ns);
	assert_true(rows.bytes <= CPU_ROWS_BYTES_MAX);
	assert_true(count > 40000);
	assert_true(rows.overflow_periods > 0);
	assert_int_equal(periods + rows.overflow_periods, 100000);
	assert_int_equal(ns + rows.overflow_ns, 500000);
	assert_int_equal(losses[LOSS_STACKS_FULL] - lost, rows.overflow_periods);
	/* What has a row is still found. */
	uint64_t overflowed = rows.overflow_periods;
	stack[0] = 0x10000;
	cpu_rows_add(&rows, stack, FRAMES_MAX, 0, 1, 5);
	assert_int_equal(rows.overflow_periods, overflowed);
	cpu_rows_release(&rows);
	assert_int_equal(pages_mapped_bytes(), before);
}

static void names_belong_to_threads(void **state)
{
	struct cpu_rows rows = { 0 };
	bool new;
	(void)state;
	assert_string_equal(cpu_rows_name(&rows, 5), "");
	uint32_t named = 0;
	for (int tid = 1; tid <= 20000; tid++) {
		char *name = cpu_rows_name_slot(&rows, tid, &new);
		if (!name)
			continue;
		assert_true(new);
		memcpy(name, tid % 2 ? "odd" : "even", 5 - (size_t)(tid % 2));
		named++;
	}
	assert_true(named > 10000 && named < 20000);
	assert_string_equal(cpu_rows_name(&rows, 5), "odd");
	assert_string_equal(cpu_rows_name(&rows, 6), "even");
	assert_non_null(cpu_rows_name_slot(&rows, 5, &new));
	assert_false(new);
	uint32_t at = 0, seen = 0;
	int tid;
	char *name;
	while (cpu_rows_names_next(&rows, &at, &tid, &name)) {
		assert_string_equal(name, tid % 2 ? "odd" : "even");
		seen++;
	}
	assert_int_equal(seen, named);
	cpu_rows_release(&rows);
}

static bool is_not_back(const struct unloaded_module *module)
{
	return module->high == 0;
}

/* Afterwards each stack is still found, and what is sampled at the same addresses later is another row. */
static void unloaded_frames_lose_their_addresses(void **state)
{
	struct cpu_rows rows = { 0 };
	const struct unloaded_module module = { 0x500000, 0x501000, 0 };
	uint32_t before = unloaded_sequence(), row_count;
	uint64_t periods, ns;
	(void)state;
	for (uintptr_t i = 0; i < 2000; i++) {
		const uintptr_t there[] = { 0x500010, 0x1000 + i }, elsewhere[] = { 0x501010, 0x1000 + i };
		cpu_rows_add(&rows, there, 2, 0, 1, 10);
		cpu_rows_add(&rows, elsewhere, 2, 0, 1, 10);
	}
	cpu_rows_unload(&rows, before);
	assert_int_equal(rows.newest->frames[0], 0x501010);
	unloaded_add(&module, 1, is_not_back);
	cpu_rows_unload(&rows, before);
	assert_int_equal(rows.count, 4000);
	for (uintptr_t i = 0; i < 2000; i++) {
		const uintptr_t gone[] = { PSEUDO_UNLOADED, 0x1000 + i }, elsewhere[] = { 0x501010, 0x1000 + i };
		cpu_rows_add(&rows, gone, 2, 0, 1, 10);
		cpu_rows_add(&rows, elsewhere, 2, 0, 1, 10);
	}
	assert_int_equal(rows.count, 4000);
	const uintptr_t again[] = { 0x500010, 0x1000 };
	cpu_rows_add(&rows, again, 2, 0, 1, 10);
	cpu_rows_unload(&rows, unloaded_sequence());
	assert_int_equal(rows.newest->frames[0], 0x500010);
	totals(&rows, &row_count, &periods, &ns);
	assert_int_equal(row_count, 4001);
	assert_int_equal(periods, 8001);
	cpu_rows_release(&rows);
	cpu_rows_unload(&rows, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_stacks_are_one_row),    cmocka_unit_test(prefixes_and_threads_are_told_apart),
		cmocka_unit_test(many_stacks_keep_their_sums), cmocka_unit_test(what_is_beyond_the_ceiling_is_counted),
		cmocka_unit_test(names_belong_to_threads),     cmocka_unit_test(unloaded_frames_lose_their_addresses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
