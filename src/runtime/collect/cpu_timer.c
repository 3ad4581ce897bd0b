/* cpu_timer.c - timer_create(2) for another thread of the process, as raw system calls. A thread makes its own in signal/cpu_sample.c.
 */
#include "runtime/collect/cpu_timer.h"

#include <errno.h>
#include <sys/resource.h>

#include "runtime/shared/random.h"
#include "runtime/shared/sys.h"
#include "runtime/signal/cpu_sample.h"
#include "runtime/signal/our_signal.h"

#define NOTIFY_THREAD 4 /* SIGEV_THREAD_ID */

/* As timer_create(2) wants it; glibc names the last members otherwise. */
struct kernel_sigevent {
	uint64_t value;
	int signal, notify, tid;
	int unused[11];
};

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){ (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };
}

/* The kernel looks at timers when a tick of the scheduler hits the thread, so that on average half a tick passes from the expiry to the signal. A
 * thread that ends before has not been seen: what a tick meets first must be counted with the chance that ticks have to meet it. So the
 * share of a tick in the period expires at once, the rest by half a tick early. */
static uint64_t first_expiry_ns(uint64_t random, uint64_t period_ns)
{
	uint64_t tick_ns = cpu_timer_tick_ns(), ns = random % period_ns;
	return ns < tick_ns ? 1 : ns - tick_ns / 2;
}

bool cpu_timers_permitted(void)
{
	struct kernel_sigevent nothing = { .notify = SIGEV_NONE };
	int timer = -1;
	long made = sys3(SYS_timer_create, CLOCK_MONOTONIC, (long)&nothing, (long)&timer);
	if (made >= 0)
		sys3(SYS_timer_delete, timer, 0, 0);
	return made != -EPERM && made != -EACCES && made != -ENOSYS;
}

bool cpu_timer_arm(uint32_t ix, int tid, uint64_t period_ns)
{
	static uint64_t random;
	struct kernel_sigevent event = { cpu_slot_value(ix), our_signal(OUR_SAMPLES), NOTIFY_THREAD, tid, { 0 } };
	/* CPUCLOCK_PERTHREAD | CPUCLOCK_SCHED of that thread, as pthread_getcpuclockid() makes it. */
	int timer = -1, clock = (int)(~(unsigned)tid << 3 | 6u);
	if (!random)
		random = random_seed(monotonic_ns());
	if (sys3(SYS_timer_create, clock, (long)&event, (long)&timer) < 0)
		return false;
	struct itimerspec times = { timespec_of(period_ns), timespec_of(first_expiry_ns(random_next(&random), period_ns)) };
	struct cpu_slot *slot = cpu_slot_at(ix);
	if (sys4(SYS_timer_settime, timer, 0, (long)&times, 0) < 0) {
		sys3(SYS_timer_delete, timer, 0, 0);
		return false;
	}
	atomic_store(&slot->source, CPU_SOURCE_TIMER);
	atomic_store(&slot->timer, timer);
	return true;
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
	int timer = atomic_exchange(&cpu_slot_at(ix)->timer, -1);
	if (timer >= 0)
		sys3(SYS_timer_delete, timer, 0, 0);
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
