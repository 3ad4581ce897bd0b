/* Who waits for which lock, and what unlockers are charged: by hand, against a model, and with threads at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <unistd.h>

#include "runtime/hooks/waiters.h"
#include "runtime/shared/losses.h"
#include "runtime/shared/process.h"
#include "runtime/shared/random.h"
#include "runtime/shared/ticks.h"

void process_check_slow(void)
{
}

#define UNIT 1024u /* ticks: what times are rounded down to */
#define LOCK_A ((uint64_t)0x7f0000001000)
#define LOCK_B ((uint64_t)0x7f0000001028)

static uint64_t at(uint64_t units)
{
	return ((uint64_t)1 << 45) + units * UNIT;
}

static int begin(void **state)
{
	(void)state;
	waiters_forked();
	losses[LOSS_WAITERS_FULL] = 0;
	return 0;
}

/* --- by hand -------------------------------------------------------------------------------------------------------- */

static void nobody_waits(void **state)
{
	(void)state;
	assert_int_equal(waiters_total, 0);
	assert_int_equal(waiters_charge(LOCK_A, at(5)), 0);
	waiters_leave(0, at(5));
	assert_int_equal(waiters_total, 0);
}

static void an_unlocker_is_charged_for_the_wait(void **state)
{
	(void)state;
	uint64_t entered = waiters_enter(LOCK_A, at(10));
	assert_true(entered != 0);
	assert_int_equal(waiters_total, 1);
	assert_int_equal(waiters_charge(LOCK_B, at(14)), 0);
	assert_int_equal(waiters_charge(LOCK_A, at(14)), 4 * UNIT);
	/* It went on waiting: somebody else had the lock. */
	assert_int_equal(waiters_charge(LOCK_A, at(14)), 0);
	assert_int_equal(waiters_charge(LOCK_A, at(20)), 6 * UNIT);
	waiters_leave(entered, at(21));
	assert_int_equal(waiters_total, 0);
	assert_int_equal(waiters_charge(LOCK_A, at(30)), 0);
}

static void all_waiters_are_charged_for(void **state)
{
	(void)state;
	uint64_t one = waiters_enter(LOCK_A, at(0));
	uint64_t two = waiters_enter(LOCK_A, at(10));
	assert_int_equal(waiters_total, 2);
	assert_int_equal(waiters_charge(LOCK_A, at(15)), (15 + 5) * UNIT);
	uint64_t three = waiters_enter(LOCK_A, at(16));
	waiters_leave(one, at(17)); /* has the lock now, charged until 15 */
	assert_int_equal(waiters_charge(LOCK_A, at(20)), (5 + 4) * UNIT);
	waiters_leave(three, at(22)); /* gave up */
	assert_int_equal(waiters_charge(LOCK_A, at(30)), 10 * UNIT);
	waiters_leave(two, at(31));
	assert_int_equal(waiters_total, 0);
}

static void who_gave_up_takes_only_its_own_time_along(void **state)
{
	(void)state;
	uint64_t one = waiters_enter(LOCK_A, at(0)), two = waiters_enter(LOCK_A, at(7));
	waiters_leave(two, at(50)); /* nobody unlocked meanwhile */
	assert_int_equal(waiters_charge(LOCK_A, at(60)), 60 * UNIT);
	waiters_leave(one, at(60));
}

static void a_stale_clock_charges_nothing_huge(void **state)
{
	(void)state;
	uint64_t one = waiters_enter(LOCK_A, at(100));
	/* This unlocker had read the clock before. */
	assert_int_equal(waiters_charge(LOCK_A, at(90)), 0);
	assert_int_equal(waiters_charge(LOCK_A, at(110)), 10 * UNIT);
	assert_int_equal(waiters_charge(LOCK_A, at(105)), 0);
	assert_int_equal(waiters_charge(LOCK_A, at(111)), UNIT);
	/* And this waiter reads one that is behind the unlocker's. */
	waiters_leave(one, at(109));
	assert_int_equal(waiters_total, 0);
	assert_int_equal(waiters_charge(LOCK_A, at(200)), 0);
}

static void long_waits_are_charged_in_full(void **state)
{
	(void)state;
	/* 16 days at 3 GHz, of two threads. */
	const uint64_t days = (uint64_t)1400000 * 3000000000u / UNIT;
	uint64_t one = waiters_enter(LOCK_A, at(0)), two = waiters_enter(LOCK_A, at(1));
	assert_int_equal(waiters_charge(LOCK_A, at(days)), (2 * days - 1) * UNIT);
	waiters_leave(two, at(2 * days));
	assert_int_equal(waiters_charge(LOCK_A, at(2 * days)), days * UNIT);
	waiters_leave(one, at(2 * days));
}

static void there_is_room_for_many_and_an_end(void **state)
{
	(void)state;
	enum { LOCKS = 8192, ONE_LOCK = 5000 };
	static uint64_t entered[LOCKS];
	uint32_t fits = 0;
	for (uint64_t i = 0; i < LOCKS; i++) {
		entered[i] = waiters_enter(0x600000 + i * 40, at(i));
		fits += entered[i] != 0;
	}
	/* Four in each of 1024 places: few are empty with twice as many locks. */
	assert_in_range(fits, 3500, 4096);
	assert_int_equal(losses[LOSS_WAITERS_FULL], LOCKS - fits);
	assert_int_equal(waiters_total, fits);
	for (uint64_t i = 0; i < LOCKS; i++)
		assert_int_equal(waiters_charge(0x600000 + i * 40, at(LOCKS)), entered[i] ? (LOCKS - i) * UNIT : 0);
	for (uint64_t i = 0; i < LOCKS; i++)
		waiters_leave(entered[i], at(LOCKS));
	assert_int_equal(waiters_total, 0);
	for (uint64_t i = 0; i < ONE_LOCK; i++)
		entered[i] = waiters_enter(LOCK_A, at(0));
	assert_int_equal(waiters_total, 4095);
	assert_int_equal(waiters_charge(LOCK_A, at(3)), 3 * 4095 * UNIT);
	for (uint64_t i = 0; i < ONE_LOCK; i++)
		waiters_leave(entered[i], at(4));
	assert_int_equal(waiters_total, 0);
}

static void a_child_forgets(void **state)
{
	(void)state;
	uint64_t before = waiters_enter(LOCK_A, at(0));
	waiters_enter(LOCK_B, at(0));
	waiters_forked();
	assert_int_equal(waiters_total, 0);
	assert_int_equal(waiters_charge(LOCK_A, at(9)), 0);
	/* The child came out of a handler that had interrupted a wait; now it waits again, in the same entry. */
	uint64_t after = waiters_enter(LOCK_A, at(10));
	waiters_leave(before, at(11));
	assert_int_equal(waiters_total, 1);
	assert_int_equal(waiters_charge(LOCK_A, at(15)), 5 * UNIT);
	waiters_leave(after, at(15));
	/* What was entered stays distinct over many generations. */
	before = waiters_enter(LOCK_A, at(20));
	for (int i = 0; i < 62; i++) {
		waiters_forked();
		after = waiters_enter(LOCK_A, at(20));
		waiters_leave(before, at(21));
		assert_int_equal(waiters_total, 1);
		waiters_leave(after, at(21));
		assert_int_equal(waiters_total, 0);
	}
}

/* --- against a model ------------------------------------------------------------------------------------------------ */

#define MODEL_LOCKS 6u
#define MODEL_WAITERS 12u

struct model {
	struct model_waiter {
		uint64_t entered; /* 0 = not waiting */
		uint64_t charged; /* until, units */
		uint64_t lock;
	} waiters[MODEL_WAITERS];
	uint64_t now;
	uint64_t random;
};

static uint64_t model_charge(struct model *model, uint64_t lock, uint64_t now)
{
	uint64_t due = 0;
	for (uint32_t i = 0; i < MODEL_WAITERS; i++) {
		struct model_waiter *waiter = &model->waiters[i];
		if (waiter->entered && waiter->lock == lock) {
			due += now - waiter->charged;
			waiter->charged = now;
		}
	}
	return due;
}

static void a_waiter_comes_or_goes(struct model *model, struct model_waiter *waiter)
{
	if (waiter->entered) {
		waiters_leave(waiter->entered, at(model->now));
		waiter->entered = 0;
		return;
	}
	waiter->lock = LOCK_A + random_next(&model->random) % MODEL_LOCKS * 40;
	waiter->charged = model->now;
	waiter->entered = waiters_enter(waiter->lock, at(model->now) + random_next(&model->random) % UNIT);
	assert_true(waiter->entered != 0);
}

static void charges_are_those_of_the_model(void **state)
{
	(void)state;
	struct model model = { .random = random_seed(4) };
	for (int step = 0; step < 200000; step++) {
		uint64_t random = random_next(&model.random);
		model.now += random % 1000 == 0 ? random >> 30 : random % 7;
		if (random >> 20 & 1) {
			a_waiter_comes_or_goes(&model, &model.waiters[(random >> 32) % MODEL_WAITERS]);
		} else {
			uint64_t lock = LOCK_A + (random >> 32) % MODEL_LOCKS * 40;
			assert_int_equal(waiters_charge(lock, at(model.now)), model_charge(&model, lock, model.now) * UNIT);
		}
	}
	for (uint32_t i = 0; i < MODEL_WAITERS; i++)
		waiters_leave(model.waiters[i].entered, at(model.now));
	assert_int_equal(waiters_total, 0);
}

/* --- at once -------------------------------------------------------------------------------------------------------- */

#define THREADS 6
#define ROUNDS 4000u

static uint64_t seeds[THREADS] = { 1, 2, 3, 4, 5, 6 };

static pthread_barrier_t all_here;

static struct {
	pthread_mutex_t mutex;
	_Atomic uint64_t charged, waited, waits;
} shared[2] = { { .mutex = PTHREAD_MUTEX_INITIALIZER }, { .mutex = PTHREAD_MUTEX_INITIALIZER } };

static void lock_one(int which)
{
	if (pthread_mutex_trylock(&shared[which].mutex) == 0)
		return;
	uint64_t start = ticks_now();
	uint64_t entered = waiters_enter((uintptr_t)&shared[which], start);
	pthread_mutex_lock(&shared[which].mutex);
	uint64_t end = ticks_now();
	waiters_leave(entered, end);
	shared[which].waited += end > start ? end - start : 0;
	shared[which].waits++;
}

static void unlock_one(int which)
{
	if (waiters_total)
		shared[which].charged += waiters_charge((uintptr_t)&shared[which], ticks_now());
	pthread_mutex_unlock(&shared[which].mutex);
}

static void *fight(void *arg)
{
	uint64_t random = random_seed(*(const uint64_t *)arg);
	pthread_barrier_wait(&all_here);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		int which = (int)(random_next(&random) & 1);
		lock_one(which);
		uint64_t until = ticks_now() + (random >> 20) % 3000;
		/* Others run into it, were there one processor only. */
		if ((random >> 40) % 64 == 0)
			usleep(20);
		while (ticks_now() < until)
			;
		unlock_one(which);
	}
	return NULL;
}

static void threads_are_charged_what_threads_have_waited(void **state)
{
	(void)state;
	pthread_t threads[THREADS];
	pthread_barrier_init(&all_here, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fight, &seeds[i]), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(waiters_total, 0);
	for (int i = 0; i < 2; i++) {
		/* Each wait is rounded by one unit at most. That charges come near the waits is the known-answer tests' matter:
		 * how long threads take to wake up is the scheduler's. */
		assert_true(shared[i].waits > 0);
		assert_true(shared[i].charged <= shared[i].waited + shared[i].waits * UNIT);
		assert_true(shared[i].charged > 0);
		assert_int_equal(waiters_charge((uintptr_t)&shared[i], ticks_now()), 0);
	}
}

/* Without a mutex between them: entries change hands all the time, and clocks are read long before they are used. */
static void *come_and_go(void *arg)
{
	uint64_t random = random_seed(*(const uint64_t *)arg + 77);
	for (uint32_t i = 0; i < ROUNDS * 10; i++) {
		int which = (int)(random_next(&random) & 1);
		uint64_t lock = LOCK_A + (uint64_t)which * 40, start = ticks_now();
		uint64_t entered = waiters_enter(lock, start);
		if ((random >> 40) % 1024 == 0)
			sys3(SYS_sched_yield, 0, 0, 0);
		shared[which].charged += waiters_charge(lock, ticks_now());
		uint64_t end = ticks_now();
		waiters_leave(entered, end);
		shared[which].waited += end - start;
		shared[which].waits++;
	}
	return NULL;
}

static void races_charge_nothing_twice(void **state)
{
	(void)state;
	pthread_t threads[THREADS];
	for (int i = 0; i < 2; i++)
		shared[i].charged = shared[i].waited = shared[i].waits = 0;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &seeds[i]), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(waiters_total, 0);
	assert_int_equal(losses[LOSS_WAITERS_FULL], 0);
	for (int i = 0; i < 2; i++)
		assert_true(shared[i].charged <= shared[i].waited + shared[i].waits * UNIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nobody_waits, begin),
		cmocka_unit_test_setup(an_unlocker_is_charged_for_the_wait, begin),
		cmocka_unit_test_setup(all_waiters_are_charged_for, begin),
		cmocka_unit_test_setup(who_gave_up_takes_only_its_own_time_along, begin),
		cmocka_unit_test_setup(a_stale_clock_charges_nothing_huge, begin),
		cmocka_unit_test_setup(long_waits_are_charged_in_full, begin),
		cmocka_unit_test_setup(there_is_room_for_many_and_an_end, begin),
		cmocka_unit_test_setup(a_child_forgets, begin),
		cmocka_unit_test_setup(charges_are_those_of_the_model, begin),
		cmocka_unit_test_setup(threads_are_charged_what_threads_have_waited, begin),
		cmocka_unit_test_setup(races_charge_nothing_twice, begin),
	};
	ticks_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
