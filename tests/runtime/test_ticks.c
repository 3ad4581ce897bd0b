/* The clock that waits are timed with: against CLOCK_MONOTONIC, and its ratio when the counter steps or changes its speed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>

#include "runtime/shared/process.h"
#include "runtime/shared/ticks.h"

void process_check_slow(void)
{
}

static void wait_until(uint64_t ns)
{
	while (monotonic_ns() < ns)
		;
}

/* Readings of one clock enclose those of the other, so that being interrupted between them proves nothing. */
static void ticks_keep_time(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		uint64_t outer = monotonic_ns(), first = ticks_now(), inner = monotonic_ns();
		wait_until(inner + 5000000);
		uint64_t inner_end = monotonic_ns(), last = ticks_now(), outer_end = monotonic_ns();
		uint64_t ns = ticks_to_ns(last - first);
		assert_in_range(ns, (inner_end - inner) / 100 * 99, (outer_end - outer) / 100 * 101);
	}
}

static void initializing_again_changes_nothing(void **state)
{
	(void)state;
	bool before = ticks_are_tsc;
	errno = 7;
	ticks_init();
	assert_int_equal(errno, 7);
	assert_int_equal(ticks_are_tsc, before);
}

static void lengths_survive_both_ways(void **state)
{
	(void)state;
	static const uint64_t lengths[] = { 0, 1, 999, 1000000, 123456789, 3600000000000u, (uint64_t)1 << 50 };
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		uint64_t back = ticks_to_ns(ticks_from_ns(lengths[i]));
		/* A tick is lost at most, and the ratio may have become better in between. */
		assert_in_range(back, lengths[i] - lengths[i] / 50 - (lengths[i] > 2 ? 2 : lengths[i]),
		                lengths[i] + lengths[i] / 50);
	}
	/* At more than a tick a nanosecond. */
	if (ticks_are_tsc && ticks_from_ns(1000) > 1000)
		assert_true(ticks_from_ns(UINT64_MAX) == UINT64_MAX);
}

static void what_lies_ahead_is_no_time(void **state)
{
	(void)state;
	uint64_t now = ticks_now();
	assert_int_equal(ticks_since_ns(now + ticks_from_ns(3600000000000u)), 0);
	wait_until(monotonic_ns() + 1000);
	assert_true(ticks_since_ns(now) > 0);
}

static void *convert(void *arg)
{
	uint64_t end = monotonic_ns() + 30000000, last = 0;
	(void)arg;
	while (monotonic_ns() < end) {
		uint64_t ns = ticks_to_ns(1u << 30);
		/* 1 % is what the rough ratio may be off. */
		if (last && (ns > last + last / 50 || ns < last - last / 50))
			return &ticks_are_tsc;
		last = ns;
	}
	return NULL;
}

static void threads_may_convert_at_once(void **state)
{
	(void)state;
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, convert, NULL), 0);
	for (int i = 0; i < 4; i++) {
		void *result;
		pthread_join(threads[i], &result);
		assert_null(result);
	}
}

/* --- the ratio ------------------------------------------------------------------------------------------------------ */

#define SECOND ((uint64_t)1000000000)
#define THIRD (((uint64_t)1 << TICK_RATIO_SHIFT) / 3)

static struct tick_ratio at_3_ghz(void)
{
	struct tick_ratio ratio = { 0 };
	assert_true(tick_ratio_begin(&ratio, 5000, 1000, 5000 + 60000, 1000 + 20000));
	assert_in_range(ratio.ns_per_tick, THIRD, THIRD + 1);
	return ratio;
}

static void assert_ratio(const struct tick_ratio *ratio, uint64_t wanted, uint64_t parts)
{
	assert_in_range(ratio->ns_per_tick, wanted - wanted / parts, wanted + wanted / parts);
}

static void no_processor_has_such_a_ratio(void **state)
{
	(void)state;
	struct tick_ratio ratio = { 0 };
	assert_false(tick_ratio_begin(&ratio, 0, 0, 1000, 1000000));
	assert_false(tick_ratio_begin(&ratio, 0, 0, 1000000, 1000));
	assert_false(tick_ratio_begin(&ratio, 1000, 0, 0, 1000));
	assert_false(tick_ratio_begin(&ratio, 0, 1000, 1000, 1000));
	assert_int_equal(ratio.ns_per_tick, 0);
}

static void the_ratio_becomes_better(void **state)
{
	(void)state;
	struct tick_ratio ratio = { 0 };
	/* 0.5 % off at first. */
	assert_true(tick_ratio_begin(&ratio, 0, 0, 60300, 20000));
	tick_ratio_measure(&ratio, 3 * 9000000 + 150, 9000000);
	assert_ratio(&ratio, THIRD - THIRD / 200, 10000); /* too early */
	tick_ratio_measure(&ratio, 3 * 10000000 + 150, 10000000);
	assert_ratio(&ratio, THIRD, 100000);
	tick_ratio_measure(&ratio, 3 * SECOND + 150, SECOND);
	assert_ratio(&ratio, THIRD, 10000000);
	/* Over days the base moves, the ratio stays. */
	for (uint64_t now = SECOND; now < 200000 * SECOND; now += 977 * SECOND)
		tick_ratio_measure(&ratio, 3 * now + 150, now);
	assert_ratio(&ratio, THIRD, 10000000);
	assert_true(ratio.base_ns > 100000 * SECOND);
}

static void a_step_of_the_counter_spoils_nothing(void **state)
{
	(void)state;
	struct tick_ratio ratio = at_3_ghz();
	tick_ratio_measure(&ratio, 5000 + 3 * 2 * SECOND, 1000 + 2 * SECOND);
	/* Suspended for an hour: the counter has gone on, CLOCK_MONOTONIC has not. */
	uint64_t step = 3 * 3600 * SECOND;
	tick_ratio_measure(&ratio, 5000 + step + 3 * 4 * SECOND, 1000 + 4 * SECOND);
	assert_ratio(&ratio, THIRD, 1000000);
	tick_ratio_measure(&ratio, 5000 + step + 3 * 6 * SECOND, 1000 + 6 * SECOND);
	assert_ratio(&ratio, THIRD, 1000000);
	/* Resumed elsewhere: it began anew. */
	tick_ratio_measure(&ratio, 77, 1000 + 8 * SECOND);
	assert_ratio(&ratio, THIRD, 1000000);
	tick_ratio_measure(&ratio, 77 + 6 * SECOND, 1000 + 10 * SECOND);
	assert_ratio(&ratio, THIRD, 1000000);
}

static void another_speed_is_believed_when_it_lasts(void **state)
{
	(void)state;
	struct tick_ratio ratio = at_3_ghz();
	tick_ratio_measure(&ratio, 5000 + 3 * 2 * SECOND, 1000 + 2 * SECOND);
	/* Migrated to a machine of 2 GHz. */
	uint64_t ticks = 5000 + 3 * 2 * SECOND, ns = 1000 + 2 * SECOND;
	for (int i = 0; i < 4; i++) {
		ticks += 2 * 2 * SECOND;
		ns += 2 * SECOND;
		tick_ratio_measure(&ratio, ticks, ns);
		if (i == 0)
			assert_ratio(&ratio, THIRD, 1000000);
	}
	assert_ratio(&ratio, ((uint64_t)1 << TICK_RATIO_SHIFT) / 2, 1000000);
}

static void a_torn_base_is_refused(void **state)
{
	(void)state;
	struct tick_ratio ratio = at_3_ghz();
	tick_ratio_measure(&ratio, 5000 + 3 * 2 * SECOND, 1000 + 2 * SECOND);
	ratio.base_ticks = 5000 + 3 * SECOND; /* of another moment than base_ns */
	tick_ratio_measure(&ratio, 5000 + 3 * 4 * SECOND, 1000 + 4 * SECOND);
	assert_ratio(&ratio, THIRD, 1000000);
	tick_ratio_measure(&ratio, 5000 + 3 * 6 * SECOND, 1000 + 6 * SECOND);
	assert_ratio(&ratio, THIRD, 1000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ticks_keep_time),
		cmocka_unit_test(initializing_again_changes_nothing),
		cmocka_unit_test(lengths_survive_both_ways),
		cmocka_unit_test(what_lies_ahead_is_no_time),
		cmocka_unit_test(threads_may_convert_at_once),
		cmocka_unit_test(no_processor_has_such_a_ratio),
		cmocka_unit_test(the_ratio_becomes_better),
		cmocka_unit_test(a_step_of_the_counter_spoils_nothing),
		cmocka_unit_test(another_speed_is_believed_when_it_lasts),
		cmocka_unit_test(a_torn_base_is_refused),
	};
	ticks_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
