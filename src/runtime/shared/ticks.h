/* ticks.h - the cheapest clock there is: what waits are timed with.
 *
 * The processor's time stamp counter where it runs at one speed and the kernel itself keeps time by it (invariant TSC), else
 * CLOCK_MONOTONIC: then a tick is a nanosecond. A read costs 10 ns against clock_gettime's 25. Any territory, any thread.
 */
#ifndef CPPROF_RUNTIME_SHARED_TICKS_H
#define CPPROF_RUNTIME_SHARED_TICKS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/shared/sys.h"

/* False until ticks_init() has found that the counter may be trusted. Hidden: one load in the hooks. */
extern bool ticks_are_tsc __attribute__((visibility("hidden")));

/* Once, from the constructor or the first hook (process_init calls it); idempotent, preserves errno. Takes some 20 microseconds. */
void ticks_init(void);

static inline uint64_t ticks_now(void)
{
	return __builtin_expect(ticks_are_tsc, 1) ? __builtin_ia32_rdtsc() : monotonic_ns();
}

/* A length of time in nanoseconds, and the other way round; saturating. The ratio is measured against CLOCK_MONOTONIC, better the longer the
 * library is up (0.1 % at once, 10 ppm after a second); a step of the counter (a resumed virtual machine) spoils only what is being timed. */
uint64_t ticks_to_ns(uint64_t ticks);
uint64_t ticks_from_ns(uint64_t ns);
/* From a former ticks_now() until now, nanoseconds; 0 if it lies ahead (another processor's counter, a few ticks). */
uint64_t ticks_since_ns(uint64_t then);

/* How the ratio is kept. Every word is written by itself: who reads a base whose two halves are of different measurements gets a ratio
 * that the next measurement refuses, so there is no lock that a jump or a fork could leave held. */
struct tick_ratio {
	_Atomic uint64_t ns_per_tick;         /* in 2^-TICK_RATIO_SHIFT ns */
	_Atomic uint64_t base_ticks, base_ns; /* the same moment by both clocks */
	_Atomic uint64_t refused;             /* the last ratio that differed too much, 0 = none */
	_Atomic uint64_t rough;               /* not measured over TICK_RATIO_FIRST_NS yet */
};
#define TICK_RATIO_SHIFT 31
#define TICK_RATIO_FIRST_NS 10000000u /* the shortest base that makes the first measurement better */
#define TICK_RATIO_NEXT_NS 1000000000u

/* The first ratio, from two moments; false if it is no processor's (0.5 to 20 ticks a nanosecond). */
bool tick_ratio_begin(struct tick_ratio *ratio, uint64_t ticks, uint64_t ns, uint64_t later_ticks, uint64_t later_ns);
/* Both clocks now: the ratio since the base, if that is long enough ago, becomes the ratio, unless it contradicts the former one
 * (0.1 %; the rough first one 1 %). Then the counter has stepped, or really runs at another speed: which one, the next measurement tells. */
void tick_ratio_measure(struct tick_ratio *ratio, uint64_t ticks, uint64_t ns);

#endif
