/* cpu_timer.h - a timer on a thread's CPU clock as a source of CPU samples, made from outside. P; the timers are the process's.
 */
#ifndef CPPROF_RUNTIME_COLLECT_CPU_TIMER_H
#define CPPROF_RUNTIME_COLLECT_CPU_TIMER_H

#include <stdbool.h>
#include <stdint.h>

/* False if the process may not have timers at all: under a system call filter. */
bool cpu_timers_permitted(void);
/* Gives the slot's thread a timer that expires first at random within a period. False: none can be had. */
bool cpu_timer_arm(uint32_t slot, int tid, uint64_t period_ns);
/* Lets it expire once more, when that is due, and not again. */
void cpu_timer_finish(uint32_t slot);
/* Takes the slot's timer away, if it has one. */
void cpu_timer_drop(uint32_t slot);
/* How many timers of ours there may be: half of RLIMIT_SIGPENDING, in which each counts. */
uint32_t cpu_timers_max(void);
/* Nanoseconds from one tick of the scheduler to the next: how often a timer can expire. */
uint64_t cpu_timer_tick_ns(void);

#endif
