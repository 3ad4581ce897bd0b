/* Rows of equal stacks become one, and tables are subtracted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "collect_fakes.h"
#include "runtime/collect/table.h"
#include "runtime/shared/region.h"

static const uintptr_t stack_a[] = { 0x1000, 0x2000 }, stack_b[] = { 0x1000, 0x3000 }, stack_c[] = { 0x1000 };

static struct table_row row(const uintptr_t *frames, uint32_t count, int64_t objects, int64_t bytes)
{
	return (struct table_row){ .frames = frames, .frame_count = count, .values = { objects, bytes }, .raw = { 1, 2 } };
}

static void merge_work(void *arg)
{
	(void)arg;
	uintptr_t copy[] = { 0x1000, 0x2000 };
	struct table_row rows[] = { row(stack_a, 2, 1, 10), row(stack_b, 2, 2, 500), row(copy, 2, 3, 30),
		                        row(stack_c, 1, 4, 40) };
	struct table_label size = { .key = "bytes", .number = 16, .unit = "bytes" };
	struct table_row labelled[5];
	memcpy(labelled, rows, sizeof(rows));
	labelled[4] = row(stack_c, 1, 7, 7);
	labelled[4].labels[0] = size;
	labelled[4].label_count = 1;
	struct table table = { .name = "x", .value_count = 2, .rows = labelled, .row_count = 5 };
	table_merge_rows(&table);
	assert_int_equal(table.row_count, 4);
	assert_int_equal(table.rows[0].values[1], 500);
	/* 40 twice: the one with fewer frames first. */
	assert_ptr_equal(table.rows[1].frames, stack_c);
	assert_int_equal(table.rows[2].values[0], 4);
	assert_int_equal(table.rows[2].values[1], 40);
	assert_int_equal(table.rows[2].raw[1], 4);
	assert_int_equal(table.rows[3].label_count, 1);
	table_merge_rows(&table);
	assert_int_equal(table.row_count, 4);
}

static void equal_rows_become_one(void **state)
{
	(void)state;
	assert_true(fake_run(merge_work));
}

static void subtract_work(void *arg)
{
	(void)arg;
	struct table_row later_rows[] = { row(stack_a, 2, 5, 50), row(stack_b, 2, 2, 20) };
	struct table_row earlier_rows[] = { row(stack_b, 2, 2, 20), row(stack_c, 1, 1, 8), row(stack_a, 2, 4, 44) };
	struct table later = { .value_count = 2, .rows = later_rows, .row_count = 2 };
	struct table earlier = { .value_count = 2, .rows = earlier_rows, .row_count = 3 };
	table_subtract(&later, &earlier);
	assert_int_equal(later.row_count, 2);
	assert_int_equal(later.rows[0].values[0], 1);
	assert_int_equal(later.rows[0].values[1], 6);
	assert_int_equal(later.rows[1].values[1], -8);
	assert_int_equal(later.rows[1].raw[0], -1);
	/* The earlier table is as it was. */
	assert_int_equal(earlier_rows[0].values[1], 20);
}

static void difference_has_no_zero_rows(void **state)
{
	(void)state;
	assert_true(fake_run(subtract_work));
}

static void empty_work(void *arg)
{
	(void)arg;
	struct table later = { .value_count = 1 }, earlier = { .value_count = 1 };
	table_merge_rows(&later);
	table_subtract(&later, &earlier);
	assert_int_equal(later.row_count, 0);
}

static void nothing_stays_nothing(void **state)
{
	(void)state;
	assert_true(fake_run(empty_work));
}

static void many_work(void *arg)
{
	(void)arg;
	enum { ROWS = 20000, STACKS = 5000 };
	uintptr_t *frames = work_alloc_array(STACKS, sizeof(*frames));
	struct table_row *rows = work_alloc_array(ROWS, sizeof(*rows));
	for (uint32_t i = 0; i < ROWS; i++) {
		frames[i % STACKS] = 0x10000 + i % STACKS;
		rows[i] = row(&frames[i % STACKS], 1, 1, 8 * (i % STACKS));
	}
	struct table table = { .value_count = 2, .rows = rows, .row_count = ROWS };
	table_merge_rows(&table);
	assert_int_equal(table.row_count, STACKS);
	for (uint32_t i = 0; i < STACKS; i++) {
		assert_int_equal(table.rows[i].values[0], ROWS / STACKS);
		assert_true(i == 0 || table.rows[i].values[1] <= table.rows[i - 1].values[1]);
	}
}

static void many_rows_keep_their_sums(void **state)
{
	(void)state;
	assert_true(fake_run(many_work));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_rows_become_one),
		cmocka_unit_test(difference_has_no_zero_rows),
		cmocka_unit_test(nothing_stays_nothing),
		cmocka_unit_test(many_rows_keep_their_sums),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
