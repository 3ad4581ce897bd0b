/* cpu_timer.c - timers for other threads of the process, and what the kernel allows of them. How one is made: signal/cpu_sample.c.
 */
#include "runtime/collect/cpu_timer.h"

#include <errno.h>
#include <sys/resource.h>

#include "runtime/shared/random.h"
#include "runtime/shared/sys.h"
#include "runtime/signal/cpu_sample.h"

bool cpu_timers_permitted(void)
{
	struct sigevent nothing = { .sigev_notify = SIGEV_NONE };
	int timer = -1;
	long made = sys3(SYS_timer_create, CLOCK_MONOTONIC, (long)&nothing, (long)&timer);
	if (made >= 0)
		sys3(SYS_timer_delete, timer, 0, 0);
	return made != -EPERM && made != -EACCES && made != -ENOSYS;
}

bool cpu_timer_arm(uint32_t ix, int tid, uint64_t period_ns)
{
	static uint64_t random;
	if (!random)
		random = random_seed(monotonic_ns());
	/* CPUCLOCK_PERTHREAD | CPUCLOCK_SCHED of that thread, as pthread_getcpuclockid() makes it. */
	return cpu_timer_make(ix, tid, (int)(~(unsigned)tid << 3 | 6u), period_ns, random_next(&random));
}

void cpu_timer_finish(uint32_t ix)
{
	struct itimerspec times;
	/* Nobody else's while it is changed: a thread that ends deletes its timer, and the number might be given out again. */
	int timer = atomic_exchange(&cpu_slot_at(ix)->timer, -1);
	if (timer < 0)
		return;
	if (sys3(SYS_timer_gettime, timer, (long)&times, 0) == 0) {
		times.it_interval = (struct timespec){ 0, 0 };
		sys4(SYS_timer_settime, timer, 0, (long)&times, 0);
	}
	atomic_store(&cpu_slot_at(ix)->timer, timer);
}

void cpu_timer_drop(uint32_t ix)
{
	cpu_slot_drop_timer(cpu_slot_at(ix));
}

uint32_t cpu_timers_max(void)
{
	struct rlimit limit = { 0, 0 };
	sys4(SYS_prlimit64, 0, RLIMIT_SIGPENDING, 0, (long)&limit);
	return limit.rlim_cur > 1u << 30 ? 1u << 28 : (uint32_t)limit.rlim_cur / 2;
}

uint64_t cpu_timer_tick_ns(void)
{
	static _Atomic uint64_t tick_ns; /* it does not change */
	uint64_t known_ns = atomic_load_explicit(&tick_ns, memory_order_relaxed);
	if (known_ns)
		return known_ns;
	struct timespec tick = { 0, 4000000 };
	sys3(SYS_clock_getres, CLOCK_MONOTONIC_COARSE, (long)&tick, 0);
	known_ns = (uint64_t)tick.tv_sec * 1000000000u + (uint64_t)tick.tv_nsec;
	atomic_store_explicit(&tick_ns, known_ns, memory_order_relaxed);
	return known_ns;
}
