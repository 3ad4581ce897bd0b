/* test_cpu_sample.c - slots, ring and handler of CPU samples: nothing is lost uncounted, late signals do nothing, a new thread samples itself.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/shared/process.h"
#include "runtime/shared/sys.h"
#include "runtime/signal/cpu_sample.h"
#include "runtime/signal/our_signal.h"
#include "runtime/signal/unwind.h"

#define PERIOD_NS 1000000u
#define THREADS 4
#define SIGNALS 20000
#define RING_BYTES (256u * 1024)

static siginfo_t timer_signal(uint32_t slot, int overrun)
{
	siginfo_t info;
	memset(&info, 0, sizeof(info));
	info.si_code = SI_TIMER;
	info.si_overrun = overrun;
	info.si_value.sival_ptr = (void *)(uintptr_t)cpu_slot_value(slot);
	return info;
}

static int start(void **state)
{
	(void)state;
	process_init();
	unwind_init();
	assert_true(cpu_samples_init(RING_BYTES));
	assert_int_not_equal(our_signal_choose(OUR_SAMPLES), 0);
	atomic_store(&cpu_period_ns, PERIOD_NS);
	atomic_store(&cpu_timers_left, 1000);
	atomic_store(&cpu_running, true);
	return 0;
}

static int stop(void **state)
{
	struct cpu_sample sample;
	(void)state;
	atomic_store(&cpu_running, false);
	while (cpu_ring_next(&sample))
		cpu_ring_release();
	for (uint32_t i = 0; i < cpu_slots_used(); i++)
		if (atomic_load(&cpu_slot_at(i)->tid))
			cpu_slot_free(i);
	return 0;
}

/* --- many producers, one consumer ----------------------------------------------------------------------------------- */

struct producer {
	pthread_t thread;
	_Atomic uint32_t slot;
	_Atomic bool done;
};

static void *produce(void *arg)
{
	struct producer *producer = arg;
	ucontext_t context;
	uint32_t slot = (uint32_t)cpu_slot_take(sys_gettid());
	atomic_store(&producer->slot, slot);
	siginfo_t info = timer_signal(slot, 1);
	atomic_store(&cpu_slot_at(slot)->handled, 1); /* a slot's first one stands for a whole tick */
	for (int i = 0; i < SIGNALS; i++) {
		getcontext(&context);
		if (!cpu_handle(&info, &context))
			break;
	}
	atomic_store(&producer->done, true);
	return NULL;
}

static bool all_done(struct producer *producers)
{
	bool done = true;
	for (int i = 0; i < THREADS; i++)
		done &= atomic_load(&producers[i].done);
	return done;
}

static void every_signal_is_in_the_ring_or_counted_as_lost(void **state)
{
	static struct producer producers[THREADS];
	uint64_t taken_ns[THREADS] = { 0 };
	struct cpu_sample sample;
	(void)state;
	for (int i = 0; i < THREADS; i++)
		atomic_store(&producers[i].slot, CPU_SLOTS_MAX); /* none yet */
	for (int i = 0; i < THREADS; i++)
		pthread_create(&producers[i].thread, NULL, produce, &producers[i]);
	for (bool last = false;;) {
		while (cpu_ring_next(&sample)) {
			assert_int_equal(sample.periods, 2);
			assert_int_equal(sample.ns, 2 * PERIOD_NS);
			assert_true(sample.frame_count > 0 && sample.frame_count <= FRAMES_MAX);
			for (int i = 0; i < THREADS; i++)
				if (producers[i].slot == sample.slot)
					taken_ns[i] += sample.ns;
			cpu_ring_release();
		}
		if (last)
			break;
		last = all_done(producers);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(producers[i].thread, NULL);
		const struct cpu_slot *slot = cpu_slot_at(producers[i].slot);
		assert_int_equal(taken_ns[i], atomic_load(&slot->sampled_ns));
		assert_int_equal(taken_ns[i] + atomic_load(&slot->lost_ns), 2ull * SIGNALS * PERIOD_NS);
		assert_int_equal(atomic_load(&slot->handled), SIGNALS + 1);
	}
}

/* --- whose signal it is --------------------------------------------------------------------------------------------- */

static void a_signal_for_a_slot_given_up_does_nothing(void **state)
{
	ucontext_t context;
	struct cpu_sample sample;
	(void)state;
	uint32_t slot = (uint32_t)cpu_slot_take(sys_gettid());
	siginfo_t info = timer_signal(slot, 0);
	cpu_slot_free(slot);
	assert_int_equal(cpu_slot_take(sys_gettid()), slot);
	getcontext(&context);
	assert_true(cpu_handle(&info, &context));
	assert_false(cpu_ring_next(&sample));
	assert_int_equal(atomic_load(&cpu_slot_at(slot)->handled), 0);
}

static void a_signal_for_another_thread_does_nothing(void **state)
{
	ucontext_t context;
	struct cpu_sample sample;
	(void)state;
	uint32_t slot = (uint32_t)cpu_slot_take(sys_gettid() + 1);
	siginfo_t info = timer_signal(slot, 0);
	getcontext(&context);
	assert_true(cpu_handle(&info, &context));
	assert_false(cpu_ring_next(&sample));
}

static void descriptors_are_known_also_when_they_are_given_up(void **state)
{
	siginfo_t info;
	ucontext_t context;
	struct cpu_sample sample;
	(void)state;
	memset(&info, 0, sizeof(info));
	info.si_code = POLL_IN;
	info.si_fd = 4711;
	getcontext(&context);
	assert_false(cpu_handle(&info, &context));
	int32_t slot = cpu_slot_take(sys_gettid());
	assert_true(cpu_slot_of_fd_set(4711, slot));
	assert_true(cpu_handle(&info, &context));
	assert_true(cpu_ring_next(&sample));
	assert_int_equal(sample.periods, 1);
	cpu_ring_release();
	assert_true(cpu_slot_of_fd_set(4711, -1));
	assert_true(cpu_handle(&info, &context));
	assert_false(cpu_ring_next(&sample));
	assert_false(cpu_slot_of_fd_set((int)CPU_FDS_MAX, slot));
}

/* --- time that was held up ------------------------------------------------------------------------------------------ */

/* In an ordinary function, not behind a system call. */
static void a_burst_is_time_that_the_thread_blocked_our_signal_for(void **state)
{
	siginfo_t info;
	ucontext_t context;
	struct cpu_sample sample;
	(void)state;
	memset(&info, 0, sizeof(info));
	info.si_code = POLL_IN;
	info.si_fd = 4711;
	/* A clock that does not move: a period of a minute. */
	atomic_store(&cpu_period_ns, UINT64_C(60000000000));
	int32_t slot = cpu_slot_take(sys_gettid());
	cpu_slot_of_fd_set(4711, slot);
	getcontext(&context);
	atomic_store(&cpu_slot_at((uint32_t)slot)->last_ns, 0 - UINT64_C(60000000000));
	for (int i = 0; i < 5; i++)
		assert_true(cpu_handle(&info, &context));
	assert_true(cpu_ring_next(&sample));
	cpu_ring_release();
	assert_false(cpu_ring_next(&sample));
	assert_int_equal(atomic_load(&cpu_slot_at((uint32_t)slot)->blocked_ns), 4 * UINT64_C(60000000000));
	cpu_slot_of_fd_set(4711, -1);
}

static void so_is_a_large_overrun(void **state)
{
	ucontext_t context;
	struct cpu_sample sample;
	(void)state;
	uint32_t slot = (uint32_t)cpu_slot_take(sys_gettid());
	siginfo_t info = timer_signal(slot, 4999);
	getcontext(&context);
	assert_true(cpu_handle(&info, &context));
	assert_true(cpu_ring_next(&sample));
	assert_int_equal(sample.periods, 1);
	cpu_ring_release();
	assert_int_equal(atomic_load(&cpu_slot_at(slot)->blocked_ns), 4999ull * PERIOD_NS);
}

/* --- a thread that arms itself -------------------------------------------------------------------------------------- */

static volatile uint64_t sink;

__attribute__((noinline)) static void burn(void)
{
	for (int i = 0; i < 100000; i++)
		sink = sink * 3 + 1;
}

static void *burn_until_sampled(void *arg)
{
	_Atomic uint32_t *slot = arg;
	cpu_self_begin((uintptr_t)burn_until_sampled);
	for (uint32_t i = 0; i < cpu_slots_used(); i++)
		if (atomic_load(&cpu_slot_at(i)->tid) == sys_gettid())
			atomic_store(slot, i);
	while (atomic_load(&cpu_slot_at(atomic_load(slot))->sampled_ns) < 3 * PERIOD_NS)
		burn();
	cpu_self_end();
	return NULL;
}

static void a_thread_samples_itself(void **state)
{
	pthread_t thread;
	_Atomic uint32_t slot = 0;
	struct cpu_sample sample;
	uint64_t ns = 0;
	(void)state;
	pthread_create(&thread, NULL, burn_until_sampled, &slot);
	pthread_join(thread, NULL);
	const struct cpu_slot *its = cpu_slot_at(atomic_load(&slot));
	assert_int_equal(atomic_load(&its->source), CPU_SOURCE_TIMER);
	assert_int_equal(atomic_load(&its->timer), -1);
	assert_int_not_equal(atomic_load(&its->ended_ns), 0);
	assert_int_equal(atomic_load(&its->start_routine), (uintptr_t)burn_until_sampled);
	while (cpu_ring_next(&sample)) {
		ns += sample.ns;
		assert_int_equal(sample.tid, atomic_load(&its->tid));
		cpu_ring_release();
	}
	assert_int_equal(ns, atomic_load(&its->sampled_ns));
}

/* --- the host's own use of the number --------------------------------------------------------------------------------- */

static volatile sig_atomic_t host_saw;

static void host_handler(int number)
{
	host_saw = number;
}

static void the_hosts_signals_of_this_number_reach_its_handler(void **state)
{
	struct host_action mine = { (uintptr_t)host_handler, 0, 0 }, old, now;
	(void)state;
	for (int use = OUR_DUMPS; use < OUR_USES; use++) {
		int number = our_signal_choose((enum our_use)use);
		our_signal_host_wants((enum our_use)use, &mine, &old);
		assert_int_equal(old.handler, (uintptr_t)SIG_DFL);
		host_saw = 0;
		raise(number);
		assert_int_equal(host_saw, number);
		our_signal_host_wants((enum our_use)use, NULL, &now);
		assert_int_equal(now.handler, (uintptr_t)host_handler);
	}
}

static void sigurg_is_as_it_was_when_nothing_is_sampled(void **state)
{
	struct sigaction now;
	(void)state;
	our_signal_release_samples();
	signal(SIGURG, SIG_IGN);
	assert_int_equal(our_signal_choose(OUR_SAMPLES), SIGURG);
	our_signal_release_samples();
	sigaction(SIGURG, NULL, &now);
	assert_true(now.sa_handler == SIG_IGN);
	signal(SIGURG, SIG_DFL);
	assert_int_equal(our_signal_choose(OUR_SAMPLES), SIGURG);
	our_signal_release_samples();
	sigaction(SIGURG, NULL, &now);
	assert_true(now.sa_handler == SIG_DFL);
}

static void samples_share_the_dumps_signal_where_the_host_uses_sigurg(void **state)
{
	(void)state;
	our_signal_host_uses_sigurg();
	assert_int_equal(our_signal_choose(OUR_SAMPLES), our_signal_choose(OUR_DUMPS));
	assert_int_equal(our_signal_use(SIGURG), OUR_USES);
	assert_int_equal(our_signal_use(0), OUR_USES);
}

static void what_a_former_program_left_pending_is_dropped(void **state)
{
	(void)state;
	pid_t child = fork();
	if (child == 0) {
		/* As after exec: the default action, and a dump's signal of ours blocked and pending, and a foreign one. */
		siginfo_t info;
		uint64_t ours = (uint64_t)1 << 63, theirs = (uint64_t)1 << 62, both = ours | theirs, pending = 0;
		signal(64, SIG_DFL);
		signal(63, SIG_DFL);
		sys4(SYS_rt_sigprocmask, SIG_BLOCK, (long)&both, 0, sizeof(both));
		memset(&info, 0, sizeof(info));
		info.si_code = SI_QUEUE;
		info.si_value.sival_ptr = (void *)(uintptr_t)(OUR_MARK_DUMP << 48);
		sys4(SYS_rt_tgsigqueueinfo, sys_getpid(), sys_gettid(), 64, (long)&info);
		info.si_value.sival_ptr = NULL;
		sys4(SYS_rt_tgsigqueueinfo, sys_getpid(), sys_gettid(), 63, (long)&info);
		our_signal_drop_pending();
		sys3(SYS_rt_sigpending, (long)&pending, sizeof(pending), 0);
		_exit(pending == theirs ? 0 : 1);
	}
	int status = -1;
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_signal_is_in_the_ring_or_counted_as_lost, start, stop),
		cmocka_unit_test_setup_teardown(a_signal_for_a_slot_given_up_does_nothing, start, stop),
		cmocka_unit_test_setup_teardown(a_signal_for_another_thread_does_nothing, start, stop),
		cmocka_unit_test_setup_teardown(descriptors_are_known_also_when_they_are_given_up, start, stop),
		cmocka_unit_test_setup_teardown(a_burst_is_time_that_the_thread_blocked_our_signal_for, start, stop),
		cmocka_unit_test_setup_teardown(so_is_a_large_overrun, start, stop),
		cmocka_unit_test_setup_teardown(a_thread_samples_itself, start, stop),
		cmocka_unit_test_setup_teardown(the_hosts_signals_of_this_number_reach_its_handler, start, stop),
		cmocka_unit_test(sigurg_is_as_it_was_when_nothing_is_sampled),
		cmocka_unit_test(samples_share_the_dumps_signal_where_the_host_uses_sigurg),
		cmocka_unit_test_setup_teardown(what_a_former_program_left_pending_is_dropped, start, stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
