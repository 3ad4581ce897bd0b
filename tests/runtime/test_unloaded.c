/* test_unloaded.c - the list of what was unloaded: which stacks it concerns, what comes back, and that a full list never leads to a wrong name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "runtime/shared/frames.h"
#include "runtime/shared/losses.h"
#include "runtime/shared/unloaded.h"

#define PLACE ((uintptr_t)0x7f0000000000)
#define SIZE ((uintptr_t)0x5000)

/* What lies at its place now, to the list. */
static struct unloaded_module there;

static bool is_there(const struct unloaded_module *module)
{
	return module->low == there.low && module->high == there.high && module->identity == there.identity;
}

static struct unloaded_module module_at(unsigned number, uint64_t identity)
{
	uintptr_t low = PLACE + number * 16 * SIZE;
	return (struct unloaded_module){ low, low + SIZE, identity };
}

static void unload(struct unloaded_module module, uint32_t stacks)
{
	unloaded_add(&module, stacks, is_there);
}

static void nothing_is_unloaded_at_first(void **state)
{
	(void)state;
	const uintptr_t frames[] = { PLACE, PSEUDO_TRUNCATED };
	assert_false(unloaded_frame(PLACE, 1));
	assert_false(unloaded_stack(frames, 2, 1));
	assert_false(unloaded_since(PLACE, 0));
}

static void it_concerns_the_range_and_older_stacks(void **state)
{
	(void)state;
	struct unloaded_module module = module_at(1, 0);
	uint32_t before = unloaded_sequence();
	unload(module, 100);
	assert_true(unloaded_sequence() > before);
	assert_true(unloaded_frame(module.low, 99));
	assert_true(unloaded_frame(module.high - 1, 1));
	assert_false(unloaded_frame(module.low - 1, 99));
	assert_false(unloaded_frame(module.high, 99));
	assert_false(unloaded_frame(module.low, 100));
	assert_true(unloaded_since(module.low, before));
	assert_false(unloaded_since(module.low, unloaded_sequence()));
	assert_false(unloaded_since(module.high, before));
}

static void only_its_frames_are_replaced(void **state)
{
	(void)state;
	struct unloaded_module module = module_at(2, 0);
	unload(module, 100);
	const uintptr_t frames[] = { 0x400000, module.low + 5, PSEUDO_TRUNCATED, module.high };
	uintptr_t replaced[4];
	assert_true(unloaded_stack(frames, 4, 5));
	unloaded_replace(frames, 4, 5, replaced);
	assert_int_equal(replaced[0], frames[0]);
	assert_int_equal(replaced[1], PSEUDO_UNLOADED);
	assert_int_equal(replaced[2], PSEUDO_TRUNCATED);
	assert_int_equal(replaced[3], frames[3]);
	assert_false(unloaded_stack(frames, 4, 100));
	assert_string_equal(pseudo_frame_name(PSEUDO_UNLOADED), "[unloaded code]");
}

static void what_comes_back_has_its_name_again(void **state)
{
	(void)state;
	struct unloaded_module module = module_at(3, 33), other = module_at(3, 44), unknown = module_at(4, 0);
	unload(module, 100);
	assert_true(unloaded_frame(module.low, 50));
	there = other;
	assert_true(unloaded_frame(module.low, 50));
	there = module;
	assert_false(unloaded_frame(module.low, 50));
	/* Gone once more: now for younger stacks, too. */
	there = (struct unloaded_module){ 0 };
	unload(module, 200);
	assert_true(unloaded_frame(module.low, 50));
	assert_true(unloaded_frame(module.low, 150));
	there = module;
	assert_false(unloaded_frame(module.low, 150));
	/* Another one was there in between: whose stacks are whose is not known any more. */
	there = (struct unloaded_module){ 0 };
	unload(other, 300);
	there = module;
	assert_true(unloaded_frame(module.low, 50));
	there = other;
	assert_true(unloaded_frame(module.low, 250));
	/* Without a build id nobody is known to be back. */
	unload(unknown, 100);
	there = unknown;
	assert_true(unloaded_frame(unknown.low, 50));
}

static void overlapping_ones_all_count(void **state)
{
	(void)state;
	struct unloaded_module one = module_at(5, 55), two = { one.low + 0x1000, one.high + 0x1000, 66 };
	unload(one, 100);
	unload(two, 200);
	assert_true(unloaded_frame(one.low, 50));
	assert_false(unloaded_frame(one.low, 150));
	assert_true(unloaded_frame(two.low, 150));
	there = one;
	assert_false(unloaded_frame(one.low, 50));
	assert_true(unloaded_frame(two.low, 50));
}

static _Atomic int stop;

/* Frames of a stack that is older than all unloadings: once unloaded, unloaded for ever. */
static void *read_all(void *arg)
{
	(void)arg;
	static bool seen[UNLOADED_RANGES * 2];
	uintptr_t wrong = 0;
	while (!atomic_load(&stop)) {
		for (unsigned i = 0; i < UNLOADED_RANGES * 2; i++) {
			bool now = unloaded_frame(module_at(1000 + i, 0).low, 1);
			wrong += seen[i] && !now;
			seen[i] = now;
		}
	}
	return (void *)wrong;
}

/* Last: it fills the list for good. */
static void a_full_list_names_too_little_not_wrongly(void **state)
{
	(void)state;
	pthread_t reader;
	uint64_t before = losses[LOSS_UNLOADED];
	assert_int_equal(pthread_create(&reader, NULL, read_all, NULL), 0);
	for (unsigned i = 0; i < UNLOADED_RANGES * 2; i++)
		unload(module_at(1000 + i, i + 1), 1000 + i);
	atomic_store(&stop, 1);
	void *wrong;
	pthread_join(reader, &wrong);
	assert_null(wrong);
	for (unsigned i = 0; i < UNLOADED_RANGES * 2; i++) {
		struct unloaded_module module = module_at(1000 + i, i + 1);
		assert_true(unloaded_frame(module.low, 999));
		assert_true(unloaded_frame(module.high - 1, 999 + i));
		assert_false(unloaded_frame(module.low, 1000 + UNLOADED_RANGES * 2));
	}
	assert_true(losses[LOSS_UNLOADED] > before + UNLOADED_RANGES - 1);
	assert_false(unloaded_frame(PLACE - 1, 1));
	unloaded_forked();
	assert_true(unloaded_frame(module_at(1, 0).low, 99));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_unloaded_at_first), cmocka_unit_test(it_concerns_the_range_and_older_stacks),
		cmocka_unit_test(only_its_frames_are_replaced), cmocka_unit_test(what_comes_back_has_its_name_again),
		cmocka_unit_test(overlapping_ones_all_count),   cmocka_unit_test(a_full_list_names_too_little_not_wrongly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
