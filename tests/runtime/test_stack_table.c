/* The table of stacks: equal stacks have one id, ids stay valid while others are added, threads agree, a full table
 * answers with the pseudo stack. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/shared/losses.h"
#include "runtime/shared/stack_table.h"
#include "runtime/shared/unloaded.h"

#define THREADS 4
#define STACKS 3000u

/* Stack number n: 1 to FRAMES_MAX frames, many of them shared with other stacks. */
static uint32_t make_stack(uint32_t n, uintptr_t *frames)
{
	uint32_t count = 1 + n % FRAMES_MAX;
	for (uint32_t i = 0; i < count; i++)
		frames[i] = 0x400000 + (i * 16);
	frames[count / 2] += (uintptr_t)n * 4096;
	return count;
}

static void check_stack(uint32_t id, uint32_t n)
{
	uintptr_t expected[FRAMES_MAX];
	uint32_t count = make_stack(n, expected), got_count;
	const uintptr_t *got = stack_table_get(id, &got_count);
	assert_int_equal(got_count, count);
	assert_memory_equal(got, expected, count * sizeof(*got));
}

static void the_pseudo_stack_is_always_there(void **state)
{
	(void)state;
	uint32_t count;
	const uintptr_t *frames = stack_table_get(STACK_OVERFLOW, &count);
	assert_int_equal(count, 1);
	assert_int_equal(frames[0], PSEUDO_OVERFLOW);
	assert_true(stack_table_count() >= 1);
	frames = stack_table_get(UINT32_MAX, &count);
	assert_int_equal(frames[0], PSEUDO_OVERFLOW);
}

static void equal_stacks_share_an_id(void **state)
{
	(void)state;
	uintptr_t frames[FRAMES_MAX];
	uint32_t ids[STACKS];
	for (uint32_t n = 0; n < STACKS; n++) {
		ids[n] = stack_table_add(frames, make_stack(n, frames));
		assert_int_not_equal(ids[n], STACK_OVERFLOW);
	}
	uint32_t known = stack_table_count();
	for (uint32_t n = STACKS; n-- > 0;) {
		assert_int_equal(stack_table_add(frames, make_stack(n, frames)), ids[n]);
		check_stack(ids[n], n);
	}
	assert_int_equal(stack_table_count(), known);
	assert_true(known >= STACKS + 1);
}

/* A stack that is the beginning of another one is a stack of its own. */
static void prefixes_differ(void **state)
{
	(void)state;
	const uintptr_t frames[3] = { 0x1000, 0x2000, 0x3000 };
	uint32_t two = stack_table_add(frames, 2), three = stack_table_add(frames, 3), none = stack_table_add(frames, 0);
	assert_int_not_equal(two, three);
	assert_int_not_equal(none, two);
	uint32_t count;
	stack_table_get(none, &count);
	assert_int_equal(count, 0);
}

static bool has_come_back;

static bool is_back(const struct unloaded_module *module)
{
	(void)module;
	return has_come_back;
}

/* The same addresses are another stack when a file has gone from there, and the same one when it has come back. */
static void an_unloaded_stack_is_not_found_again(void **state)
{
	(void)state;
	const uintptr_t inside[] = { 0x60001000, 0x400000 }, outside[] = { 0x60002000, 0x400000 };
	const struct unloaded_module module = { 0x60001000, 0x60002000, 1 };
	uint32_t old = stack_table_add(inside, 2), other = stack_table_add(outside, 2);
	unloaded_add(&module, stack_table_count(), is_back);
	has_come_back = true;
	assert_int_equal(stack_table_add(inside, 2), old);
	has_come_back = false;
	unloaded_add(&module, stack_table_count(), is_back);
	uint32_t new = stack_table_add(inside, 2);
	assert_int_not_equal(new, old);
	assert_int_not_equal(new, STACK_OVERFLOW);
	assert_int_equal(stack_table_add(inside, 2), new);
	assert_int_equal(stack_table_add(outside, 2), other);
}

static void *add_all(void *arg)
{
	uint32_t *ids = arg;
	uintptr_t frames[FRAMES_MAX];
	for (uint32_t n = 0; n < STACKS; n++) {
		uint32_t count = make_stack(n + 100000, frames);
		do /* the lock may be busy: then the answer is the pseudo stack */
			ids[n] = stack_table_add(frames, count);
		while (ids[n] == STACK_OVERFLOW);
	}
	return NULL;
}

static void threads_get_the_same_ids(void **state)
{
	(void)state;
	static uint32_t ids[THREADS][STACKS];
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_all, ids[i]), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 1; i < THREADS; i++)
		assert_memory_equal(ids[i], ids[0], sizeof(ids[0]));
	for (uint32_t n = 0; n < STACKS; n++)
		check_stack(ids[0][n], n + 100000);
}

/* Last: it fills the table for good. */
static void a_full_table_says_overflow(void **state)
{
	(void)state;
	uintptr_t frames[FRAMES_MAX] = { 0 };
	uint64_t before = losses[LOSS_STACKS_FULL];
	uint32_t id = 1;
	uint64_t n = 0;
	for (; id != STACK_OVERFLOW && n < 10000000; n++) {
		frames[0] = 0x7000000 + n;
		id = stack_table_add(frames, 4);
	}
	assert_int_equal(id, STACK_OVERFLOW);
	assert_int_equal(losses[LOSS_STACKS_FULL], before + 1);
	frames[0] = 0x7000000; /* what is known is still found */
	assert_int_not_equal(stack_table_add(frames, 4), STACK_OVERFLOW);
	assert_true(stack_table_bytes() < (uint64_t)128 << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_pseudo_stack_is_always_there),
		cmocka_unit_test(equal_stacks_share_an_id),
		cmocka_unit_test(prefixes_differ),
		cmocka_unit_test(an_unloaded_stack_is_not_found_again),
		cmocka_unit_test(threads_get_the_same_ids),
		cmocka_unit_test(a_full_table_says_overflow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
