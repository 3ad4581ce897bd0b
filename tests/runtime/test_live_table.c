/* The table of live samples against a plain model: sums of each stack, growth, addresses used again, frees while the lock
 * is busy, threads, and what a fork in the middle of a change leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/hooks/heap_math.h"
#include "runtime/hooks/live_table.h"
#include "runtime/shared/losses.h"

#define STACKS 80u

static const void *pointer(uintptr_t address)
{
	union {
		uintptr_t number;
		const void *pointer;
	} both = { address };
	return both.pointer;
}

static struct live_sample sample_at(uintptr_t address, uint64_t size, uint32_t stack)
{
	return (struct live_sample){ address, size, 3 * HEAP_OBJECT + 7, 3 * size, address, stack };
}

static struct heap_bucket bucket(uint32_t stack)
{
	struct heap_bucket one;
	live_table_buckets(stack, 1, &one);
	return one;
}

static struct heap_bucket total(void)
{
	struct heap_bucket sum = { 0 }, some[STACKS];
	live_table_buckets(0, STACKS, some);
	for (uint32_t i = 0; i < STACKS; i++) {
		sum.alloc_samples += some[i].alloc_samples;
		sum.alloc_sample_bytes += some[i].alloc_sample_bytes;
		sum.inuse_samples += some[i].inuse_samples;
		sum.inuse_sample_bytes += some[i].inuse_sample_bytes;
		sum.inuse_bytes += some[i].inuse_bytes;
	}
	return sum;
}

static void a_sample_comes_and_goes(void **state)
{
	(void)state;
	struct live_sample sample = sample_at(0x5000, 100, 3), got;
	assert_false(live_filter_hit(pointer(0x5000)));
	assert_false(live_table_may_have(pointer(0x5000)));
	assert_true(live_table_add(&sample));
	assert_true(live_filter_hit(pointer(0x5000)));
	assert_true(live_table_may_have(pointer(0x5000)));
	struct heap_bucket now = bucket(3);
	assert_int_equal(now.inuse_samples, 1);
	assert_int_equal(now.inuse_objects, 3 * HEAP_OBJECT + 7);
	assert_int_equal(now.inuse_bytes, 300);
	assert_true(live_table_remove(pointer(0x5000), &got));
	assert_int_equal(got.address, 0x5000);
	assert_int_equal(got.size, 100);
	assert_int_equal(got.objects, sample.objects);
	assert_int_equal(got.bytes, 300);
	assert_int_equal(got.time_ns, sample.time_ns);
	assert_int_equal(got.stack, 3);
	assert_false(live_table_remove(pointer(0x5000), &got));
	assert_false(live_filter_hit(pointer(0x5000)));
	now = bucket(3);
	assert_int_equal(now.inuse_samples | now.inuse_objects | now.inuse_bytes | now.inuse_sample_bytes, 0);
	assert_int_equal(now.alloc_samples, 1);
	assert_int_equal(now.alloc_bytes, 300);
	/* A realloc that failed: in use again, not allocated again. */
	live_table_restore(&got);
	now = bucket(3);
	assert_int_equal(now.inuse_sample_bytes, 100);
	assert_int_equal(now.alloc_samples, 1);
	assert_true(live_table_remove(pointer(0x5000), NULL));
}

/* Its free was not seen: another sample at the same address takes its place. */
static void a_stale_entry_heals(void **state)
{
	(void)state;
	struct live_sample first = sample_at(0x6000, 50, 4), second = sample_at(0x6000, 70, 5);
	uint64_t before = live_table_count();
	live_table_add(&first);
	live_table_add(&second);
	assert_int_equal(live_table_count(), before + 1);
	assert_int_equal(bucket(4).inuse_samples, 0);
	assert_int_equal(bucket(4).alloc_samples, 1);
	assert_int_equal(bucket(5).inuse_bytes, 210);
	assert_true(live_table_remove(pointer(0x6000), NULL));
}

static void late_frees_are_made_up_for(void **state)
{
	(void)state;
	uint64_t before = losses[LOSS_FREE_BUSY];
	struct live_sample sample = sample_at(0x7000, 10, 6);
	live_table_add(&sample);
	live_table_remove_later(pointer(0x7000));
	assert_int_equal(losses[LOSS_FREE_BUSY], before + 1);
	/* The same address again: the old entry goes first, the new one stays. */
	live_table_add(&sample);
	assert_int_equal(bucket(6).inuse_samples, 1);
	live_table_remove_later(pointer(0x7000));
	assert_int_equal(bucket(6).inuse_samples, 0);
	/* More than there is room for: all but those without a place. */
	for (uintptr_t i = 0; i < 2000; i++) {
		struct live_sample many = sample_at(0x100000 + i * 64, 10, 6);
		live_table_add(&many);
	}
	for (uintptr_t i = 0; i < 2000; i++)
		live_table_remove_later(pointer(0x100000 + i * 64));
	assert_true(bucket(6).inuse_samples < 2000 - 8 * 32);
	for (uintptr_t i = 0; i < 2000; i++)
		live_table_remove(pointer(0x100000 + i * 64), NULL);
	assert_int_equal(bucket(6).inuse_samples, 0);
}

static void pinned_addresses_stay_in_the_filter(void **state)
{
	(void)state;
	struct live_sample sample = sample_at(0x8880, 10, 7);
	live_filter_pin(pointer(0x8880));
	live_table_add(&sample);
	live_table_remove(pointer(0x8880), NULL);
	assert_true(live_filter_hit(pointer(0x8880)));
	assert_false(live_table_may_have(pointer(0x8880)));
}

/* Random adds and removes beside an array that says what must be there. */
static void the_model_agrees(void **state)
{
	(void)state;
	enum { PLACES = 200000, STEPS = 1500000 };
	uint64_t *sizes = calloc(PLACES, sizeof(*sizes)), random = random_seed(7), bytes = 0, live = 0;
	struct heap_bucket before = total();
	uint64_t before_live = live_table_count();
	for (int i = 0; i < STEPS; i++) {
		uint64_t place = random_next(&random) % PLACES, size = 1 + random_next(&random) % 1000;
		uintptr_t address = 0x7F0000000000u + place * 4112;
		if (sizes[place]) {
			struct live_sample got;
			assert_true(live_filter_hit(pointer(address)));
			assert_true(live_table_remove(pointer(address), &got));
			assert_int_equal(got.size, sizes[place]);
			bytes -= sizes[place];
			live--;
			sizes[place] = 0;
		} else {
			struct live_sample sample = sample_at(address, size, 8 + (uint32_t)(place % 30));
			assert_true(live_table_add(&sample));
			sizes[place] = size;
			bytes += size;
			live++;
		}
	}
	struct heap_bucket after = total();
	assert_int_equal(after.inuse_samples - before.inuse_samples, live);
	assert_int_equal(after.inuse_sample_bytes - before.inuse_sample_bytes, bytes);
	assert_int_equal(after.inuse_bytes - before.inuse_bytes, 3 * bytes);
	assert_int_equal(live_table_count() - before_live, live);
	for (uint64_t place = 0; place < PLACES; place++)
		assert_int_equal(live_table_remove(pointer(0x7F0000000000u + place * 4112), NULL), sizes[place] != 0);
	assert_int_equal(live_table_count(), before_live);
	free(sizes);
}

/* After everything is gone no bit is left behind: unsampled frees stay cheap. */
static void the_filter_empties(void **state)
{
	(void)state;
	uint64_t bits = 0;
	for (int i = 0; i < 1024; i++)
		bits += (uint64_t)__builtin_popcountll(live_filter[i]);
	assert_int_equal(bits, 1); /* the pinned one */
}

static void *churn(void *arg)
{
	uintptr_t base = (uintptr_t)arg;
	uint64_t random = random_seed(base), size = 16;
	for (int i = 0; i < 200000; i++) {
		uintptr_t address = base + random_next(&random) % 512 * 48;
		struct live_sample sample = sample_at(address, size, 60 + (uint32_t)(base >> 32) % 4);
		live_table_add(&sample);
		if (live_table_may_have(pointer(address)))
			live_table_remove(pointer(address), NULL);
	}
	return NULL;
}

static void threads_leave_nothing(void **state)
{
	(void)state;
	pthread_t threads[4];
	for (uintptr_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, churn, (void *)((i + 1) << 32)), 0);
	for (int round = 0; round < 200; round++) {
		struct heap_bucket some[8];
		live_table_buckets(58, 8, some);
		for (int i = 0; i < 8; i++) {
			assert_true(some[i].inuse_samples <= some[i].alloc_samples);
			assert_true(some[i].inuse_sample_bytes == 16 * some[i].inuse_samples);
			assert_true(some[i].alloc_sample_bytes == 16 * some[i].alloc_samples);
		}
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (uintptr_t i = 0; i < 4; i++)
		for (uintptr_t place = 0; place < 512; place++)
			live_table_remove(pointer(((i + 1) << 32) + place * 48), NULL);
	assert_int_equal(live_table_count(), 0);
	assert_int_equal(total().inuse_samples, 0);
}

static _Atomic int stop;

static void *churn_until_stopped(void *arg)
{
	while (!stop)
		churn(arg);
	return NULL;
}

/* What the child finds must be whole, and usable, although the others stopped anywhere. */
static int child_of_fork(void)
{
	live_table_forked();
	struct heap_bucket sum = total();
	if (sum.inuse_samples != live_table_count() || sum.inuse_sample_bytes != 16 * sum.inuse_samples)
		return 1;
	for (uintptr_t i = 0; i < 2; i++)
		for (uintptr_t place = 0; place < 512; place++)
			live_table_remove(pointer(((i + 1) << 32) + place * 48), NULL);
	if (live_table_count() || total().inuse_samples)
		return 2;
	for (uintptr_t i = 0; i < 1000; i++) {
		struct live_sample sample = sample_at(0x9000000 + i * 16, 16, 61);
		if (!live_table_add(&sample))
			return 3;
	}
	return live_table_count() == 1000 ? 0 : 4;
}

static void forks_leave_it_whole(void **state)
{
	(void)state;
	pthread_t threads[2];
	for (uintptr_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, churn_until_stopped, (void *)((i + 1) << 32)), 0);
	for (int round = 0; round < 200; round++) {
		pid_t child = fork();
		if (child == 0)
			_exit(child_of_fork());
		int status;
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	stop = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sample_comes_and_goes),    cmocka_unit_test(a_stale_entry_heals),
		cmocka_unit_test(late_frees_are_made_up_for), cmocka_unit_test(pinned_addresses_stay_in_the_filter),
		cmocka_unit_test(the_model_agrees),           cmocka_unit_test(the_filter_empties),
		cmocka_unit_test(threads_leave_nothing),      cmocka_unit_test(forks_leave_it_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
