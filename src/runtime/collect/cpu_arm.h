/* cpu_arm.h - arms every thread of the process for CPU samples, keeps up with those that begin and end, and knows what it could not see of them.
 *
 * A thread gets a timer first, whose first expiry is random within a period, so that threads which run little have their fair chance. One
 * whose timer has expired gets a perf_event clock instead, where that can be had: it is true to rates beyond the scheduler's tick. So it costs descriptors and
 * signals only for threads that run.
 *
 * Service thread only.
 */
#ifndef CPPROF_RUNTIME_COLLECT_CPU_ARM_H
#define CPPROF_RUNTIME_COLLECT_CPU_ARM_H

#include <stdbool.h>
#include <stdint.h>

/* What is known of a slot's thread, nanoseconds of its CPU clock since it was armed (clock_ns: as it stands). */
struct cpu_account {
	int tid;
	uint32_t generation;
	uint64_t clock_ns;
	uint64_t begun_ns;
	uint64_t sampled_ns, lost_ns, blocked_ns;
	uint64_t unanswered_ns; /* in which it blocked our signal; some of it may be in blocked_ns later */
	uint64_t kernel_ns;     /* that it spent in the kernel while that made no samples, as far as was looked at */
	bool hides_kernel;      /* what it does in the kernel makes no samples now */
	uintptr_t start_routine;
};

/* Told of each thread that has ended, or is given up, before its slot goes. */
typedef void cpu_arm_ended(uint32_t slot, const struct cpu_account *account);

/* Arms all threads, for one sample in so many nanoseconds; NULL, or why it cannot be done. */
const char *cpu_arm_begin(uint64_t period_ns);
/* Another period for all. */
void cpu_arm_set_period(uint64_t period_ns);
void cpu_arm_beat(cpu_arm_ended *ended);
/* Disarms all. `ended` is not called. */
void cpu_arm_end(void);

/* The account of a slot as of now; false: nobody's. `closely`: also finds out whether it blocks our signal. */
/* The program has taken the signal by which threads are sampled for itself. */
bool cpu_arm_has_lost_signal(void);
bool cpu_arm_account(uint32_t slot, bool closely, struct cpu_account *ret_account);
/* How many threads at once could not be armed, at the most, since the first session began. */
uint32_t cpu_arm_unarmed(void);
/* NULL: threads that run have perf_event clocks; else why not. And how many threads could not have one, so far. */
const char *cpu_arm_why_no_perf(void);
uint32_t cpu_arm_without_perf(void);
/* How many threads went back to timers because they were in the kernel for much of their time. */
uint32_t cpu_arm_in_kernel(void);

/* In a fork child: nothing is armed. */
void cpu_arm_forked(void);

#endif
