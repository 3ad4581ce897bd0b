/* The sums of waits: sampling without bias, keys, a full table, and additions at once from threads and handlers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/shared/contention.h"
#include "runtime/shared/losses.h"
#include "runtime/shared/process.h"
#include "runtime/shared/random.h"
#include "runtime/shared/stack_table.h"

void process_check_slow(void)
{
}

struct sums {
	uint32_t entries;
	uint64_t count, ns;
};

static struct sums sum_up(enum contention_kind kind)
{
	struct sums sums = { 0 };
	struct contention entry;
	for (uint32_t slot = 0; slot < CONTENTION_SLOTS; slot++) {
		if (contention_at(slot, &entry) && entry.kind == kind) {
			sums.entries++;
			sums.count += entry.count;
			sums.ns += entry.ns;
		}
	}
	assert_int_equal(sums.entries, contention_count(kind));
	return sums;
}

/* The one entry of this key; fails if there are two. */
static bool look_up(enum contention_kind kind, enum wait_call call, uint32_t stack, uint64_t object,
                    struct contention *ret_entry)
{
	bool found = false;
	struct contention entry;
	for (uint32_t slot = 0; slot < CONTENTION_SLOTS; slot++) {
		if (!contention_at(slot, &entry) || entry.kind != kind || entry.call != call || entry.stack != stack ||
		    entry.object != object)
			continue;
		assert_false(found);
		found = true;
		*ret_entry = entry;
	}
	return found;
}

static int make_empty(void **state)
{
	(void)state;
	contention_forked();
	for (int i = 0; i < LOSS_COUNT; i++)
		losses[i] = 0;
	return 0;
}

static void add(enum contention_kind kind, enum wait_call call, uint32_t stack, uint64_t object, uint64_t ns)
{
	contention_add(&(struct contention){ kind, call, stack, object, CONTENTION_UNIT, ns });
}

/* --- keys ----------------------------------------------------------------------------------------------------------- */

static void calls_have_their_profile(void **state)
{
	(void)state;
	static const enum wait_call block[] = { WAIT_pthread_mutex_lock, WAIT_pthread_rwlock_clockwrlock,
		                                    WAIT_pthread_cond_wait,  WAIT_pthread_barrier_wait,
		                                    WAIT_pthread_join,       WAIT_sem_clockwait,
		                                    WAIT_mtx_timedlock,      WAIT_cnd_wait,
		                                    WAIT_thrd_join,          WAIT_syscall };
	static const enum wait_call wait[] = { WAIT_thrd_sleep, WAIT_poll,      WAIT_epoll_wait, WAIT_read,
		                                   WAIT_sendmmsg,   WAIT_nanosleep, WAIT_sigwait,    WAIT_waitid,
		                                   WAIT_flock,      WAIT_fsync,     WAIT_semop };
	for (size_t i = 0; i < sizeof(block) / sizeof(block[0]); i++)
		assert_int_equal(contention_kind_of(block[i]), CONTENTION_BLOCK);
	for (size_t i = 0; i < sizeof(wait) / sizeof(wait[0]); i++)
		assert_int_equal(contention_kind_of(wait[i]), CONTENTION_WAIT);
	/* A new call has to be thought about. */
	uint32_t blocks = 0;
	for (int call = 1; call < WAIT_CALL_COUNT; call++)
		blocks += contention_kind_of((enum wait_call)call) == CONTENTION_BLOCK;
	assert_int_equal(blocks, 25);
}

static void equal_keys_are_one_entry(void **state)
{
	(void)state;
	struct contention entry;
	for (int i = 0; i < 3; i++) {
		add(CONTENTION_BLOCK, WAIT_pthread_mutex_lock, 7, 0x1000, 100);
		add(CONTENTION_BLOCK, WAIT_pthread_mutex_lock, 7, 0x1008, 10);
		add(CONTENTION_BLOCK, WAIT_pthread_mutex_lock, 8, 0x1000, 1);
		add(CONTENTION_BLOCK, WAIT_sem_wait, 7, 0x1000, 1000);
		/* Unlocking is no waiting call, and a descriptor no lock. */
		add(CONTENTION_MUTEX, i ? WAIT_pthread_mutex_lock : WAIT_mtx_lock, 7, 0x1000, 5);
		add(CONTENTION_WAIT, WAIT_read, 7, (uint64_t)i, 50);
	}
	assert_int_equal(sum_up(CONTENTION_BLOCK).entries, 4);
	assert_true(look_up(CONTENTION_BLOCK, WAIT_pthread_mutex_lock, 7, 0x1000, &entry));
	assert_int_equal(entry.count, 3 * CONTENTION_UNIT);
	assert_int_equal(entry.ns, 300);
	assert_true(look_up(CONTENTION_BLOCK, WAIT_sem_wait, 7, 0x1000, &entry));
	assert_int_equal(entry.ns, 3000);
	assert_true(look_up(CONTENTION_MUTEX, WAIT_NONE, 7, 0x1000, &entry));
	assert_int_equal(entry.ns, 15);
	assert_true(look_up(CONTENTION_WAIT, WAIT_read, 7, 0, &entry));
	assert_int_equal(entry.ns, 150);
}

static void a_child_begins_empty(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 1000; i++)
		add(CONTENTION_BLOCK, WAIT_sem_wait, i, 0x2000, 1);
	contention_forked();
	for (int kind = 0; kind < CONTENTION_KINDS; kind++)
		assert_int_equal(sum_up((enum contention_kind)kind).entries, 0);
	add(CONTENTION_BLOCK, WAIT_sem_wait, 5, 0x2000, 9);
	assert_int_equal(sum_up(CONTENTION_BLOCK).ns, 9);
	assert_int_equal(sum_up(CONTENTION_BLOCK).entries, 1);
}

/* --- a full table --------------------------------------------------------------------------------------------------- */

static void a_full_table_loses_details_and_no_time(void **state)
{
	(void)state;
	struct contention entry;
	uint64_t added = 0;
	for (uint64_t i = 0; i < 2 * CONTENTION_SLOTS; i++, added++)
		add(CONTENTION_BLOCK, WAIT_pthread_mutex_lock, (uint32_t)(i % 100 + 1), 0x10000 + i * 8, 3);
	/* Locks are kept apart until the table is three quarters full, then stacks only. */
	assert_true(look_up(CONTENTION_BLOCK, WAIT_pthread_mutex_lock, 1, 0x10000, &entry));
	assert_true(look_up(CONTENTION_BLOCK, WAIT_pthread_mutex_lock, 1, 0, &entry));
	assert_true(entry.count > 100 * CONTENTION_UNIT);
	assert_int_equal(losses[LOSS_CONTENTION_FULL], 0);
	assert_int_equal(sum_up(CONTENTION_BLOCK).ns, 3 * added);
	uint32_t before = contention_count(CONTENTION_BLOCK);
	for (uint32_t i = 0; i < CONTENTION_SLOTS; i++, added++)
		add(CONTENTION_BLOCK, WAIT_sem_wait, 1000 + i, 0x8, 3);
	assert_true(contention_count(CONTENTION_BLOCK) > before + 1000);
	assert_true(losses[LOSS_CONTENTION_FULL] > 0);
	assert_true(look_up(CONTENTION_BLOCK, WAIT_sem_wait, STACK_OVERFLOW, 0, &entry));
	assert_int_equal(entry.count, losses[LOSS_CONTENTION_FULL] * CONTENTION_UNIT);
	/* Every call of every kind still has a place. */
	for (int call = 1; call < WAIT_CALL_COUNT; call++) {
		enum contention_kind kind = contention_kind_of((enum wait_call)call);
		add(kind, (enum wait_call)call, 500000, 0x18, 1);
		assert_true(look_up(kind, (enum wait_call)call, STACK_OVERFLOW, 0, &entry));
	}
	add(CONTENTION_MUTEX, WAIT_NONE, 500000, 0x18, 1);
	assert_true(look_up(CONTENTION_MUTEX, WAIT_NONE, STACK_OVERFLOW, 0, &entry));
	assert_int_equal(sum_up(CONTENTION_BLOCK).ns, 3 * added + 25);
}

/* --- at once -------------------------------------------------------------------------------------------------------- */

#define THREADS 6
#define ROUNDS 10000u
#define KEYS 500u

static uint64_t seeds[THREADS] = { 1, 2, 3, 4, 5, 6 };

static void *add_many(void *arg)
{
	uint64_t random = random_seed(*(const uint64_t *)arg);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint64_t key = random_next(&random) % KEYS;
		add(CONTENTION_BLOCK, WAIT_pthread_mutex_lock, (uint32_t)key % 50, 0x5000 + key * 8, 1);
	}
	return NULL;
}

static void threads_may_add_at_once(void **state)
{
	(void)state;
	for (int round = 0; round < 5; round++) {
		pthread_t threads[THREADS];
		contention_forked();
		for (int i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, add_many, &seeds[i]), 0);
		for (int i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
		struct sums sums = sum_up(CONTENTION_BLOCK);
		assert_int_equal(sums.ns, THREADS * ROUNDS);
		assert_int_equal(sums.count, (uint64_t)THREADS * ROUNDS * CONTENTION_UNIT);
		/* No key twice, though they were made in a race. */
		assert_int_equal(sums.entries, KEYS);
	}
}

static volatile sig_atomic_t handled;
static _Atomic bool enough;

static void add_in_handler(int number)
{
	(void)number;
	add(CONTENTION_WAIT, WAIT_poll, (uint32_t)handled % KEYS, 0, 1);
	handled++;
}

static void *keep_interrupting(void *arg)
{
	const pthread_t *whom = arg;
	while (!enough)
		pthread_kill(*whom, SIGUSR1);
	return NULL;
}

static void a_handler_may_add_in_the_middle(void **state)
{
	(void)state;
	struct sigaction action = { .sa_handler = add_in_handler }, former;
	pthread_t self = pthread_self(), thread;
	uint64_t added = 0;
	sigaction(SIGUSR1, &action, &former);
	assert_int_equal(pthread_create(&thread, NULL, keep_interrupting, &self), 0);
	for (; handled < 1000; added++)
		add(CONTENTION_WAIT, WAIT_poll, (uint32_t)added % KEYS, 0, 1);
	enough = true;
	pthread_join(thread, NULL);
	sigaction(SIGUSR1, &former, NULL);
	assert_int_equal(sum_up(CONTENTION_WAIT).entries, KEYS);
	assert_int_equal(sum_up(CONTENTION_WAIT).ns, added + (uint64_t)handled);
}

/* --- sampling ------------------------------------------------------------------------------------------------------- */

static void long_waits_are_all_kept_once(void **state)
{
	(void)state;
	uint64_t count, ns, random = 1;
	assert_false(contention_sample(1000000, 0, 5, &count, &ns));
	for (int i = 0; i < 1000; i++) {
		uint64_t wait = 1000 + random_next(&random) % 100000;
		assert_true(contention_sample(wait, 1000, random_next(&random), &count, &ns));
		assert_int_equal(count, CONTENTION_UNIT);
		assert_int_equal(ns, wait);
		assert_true(contention_sample((uint64_t)i, 1, random_next(&random), &count, &ns));
		assert_int_equal(count, CONTENTION_UNIT);
		assert_int_equal(ns, i);
		assert_false(contention_sample(0, 1000, random_next(&random), &count, &ns));
	}
}

/* The sums over many waits of d, against d and 1: within five standard deviations of what sampling does to them. The
 * numbers are the same in every run. */
static void check_expectation(uint64_t wait, uint64_t rate)
{
	const uint64_t waits = 400000;
	uint64_t random = random_seed(wait ^ rate), count_sum = 0, ns_sum = 0, count, ns;
	for (uint64_t i = 0; i < waits; i++) {
		if (contention_sample(wait, rate, random_next(&random), &count, &ns)) {
			count_sum += count;
			ns_sum += ns;
		}
	}
	/* Each of n kept ones has the weight rate / d: the variance of their number is waits * p * (1 - p). */
	uint64_t kept = waits * wait / rate, deviation = 1;
	while (deviation * deviation < kept)
		deviation++;
	uint64_t tolerance_ns = 5 * deviation * rate, all_ns = waits * wait;
	assert_in_range(ns_sum, all_ns - tolerance_ns, all_ns + tolerance_ns);
	uint64_t all = waits * CONTENTION_UNIT, tolerance = 5 * deviation * (CONTENTION_UNIT * rate / wait + 1);
	assert_in_range(count_sum, all - tolerance, all + tolerance);
}

static void sampling_has_no_bias(void **state)
{
	(void)state;
	check_expectation(1, 1000);
	check_expectation(3, 1000);
	check_expectation(333, 1000);
	check_expectation(999, 1000);
	check_expectation(700001, 1000000);
	check_expectation(1234, 10000000);
	check_expectation(2, 3);
}

/* The fraction of a count is not cut off: a kept wait counts 256.768 units on average. */
static void counts_are_rounded_by_chance(void **state)
{
	(void)state;
	uint64_t random = 99, kept = 0, sum = 0, count, ns;
	const uint64_t wait = 1000, rate = 1003;
	while (kept < 100000) {
		if (!contention_sample(wait, rate, random_next(&random), &count, &ns))
			continue;
		assert_in_range(count, 256, 257);
		kept++;
		sum += count;
	}
	/* 76800 +- 5 * 133 of them are 257. */
	assert_in_range(sum - 256 * kept, 76800 - 670, 76800 + 670);
}

static void silly_rates_do_not_overflow(void **state)
{
	(void)state;
	uint64_t count, ns;
	assert_true(contention_sample(UINT64_MAX - 1, UINT64_MAX, 0, &count, &ns));
	assert_in_range(count, CONTENTION_UNIT, CONTENTION_UNIT + 1);
	assert_true(contention_sample(UINT64_MAX / 8, UINT64_MAX, 0, &count, &ns));
	assert_in_range(count, CONTENTION_UNIT * 8, CONTENTION_UNIT * 8 + 1);
	assert_true(contention_sample(1, UINT64_MAX, 0, &count, &ns));
	assert_true(count > (uint64_t)1 << 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(calls_have_their_profile, make_empty),
		cmocka_unit_test_setup(equal_keys_are_one_entry, make_empty),
		cmocka_unit_test_setup(a_child_begins_empty, make_empty),
		cmocka_unit_test_setup(a_full_table_loses_details_and_no_time, make_empty),
		cmocka_unit_test_setup(threads_may_add_at_once, make_empty),
		cmocka_unit_test_setup(a_handler_may_add_in_the_middle, make_empty),
		cmocka_unit_test(long_waits_are_all_kept_once),
		cmocka_unit_test(sampling_has_no_bias),
		cmocka_unit_test(counts_are_rounded_by_chance),
		cmocka_unit_test(silly_rates_do_not_overflow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
