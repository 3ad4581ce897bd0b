/* heap_math.h - the arithmetic of sampling: gaps between samples, and what a sample stands for.
 *
 * Integers only. Hooks run inside the host's malloc: floating point there would raise the host's exception flags, or
 * its SIGFPE where it has unmasked them, and libm may not be loaded. Any territory.
 */
#ifndef CPPROF_RUNTIME_HOOKS_HEAP_MATH_H
#define CPPROF_RUNTIME_HOOKS_HEAP_MATH_H

#include <stdint.h>

#include "runtime/shared/random.h"

#define HEAP_RATE_MAX ((uint64_t)1 << 40)
#define HEAP_OBJECT 256u /* the unit in which objects are counted: 1/256 object */

/* floor(-ln(random / 2^64) * rate): bytes to let pass before the next sample, so that the samples are a Poisson process
 * over the bytes with mean distance `rate` (<= HEAP_RATE_MAX). A block of n bytes is sampled if n > gap. Error of
 * the mean below 2^-38 of the rate. */
uint64_t heap_gap(uint64_t random, uint64_t rate);

struct heap_weight {
	uint64_t objects; /* 1/HEAP_OBJECT objects */
	uint64_t bytes;
};

/* What one sampled block of `size` bytes stands for: w = 1/(1 - e^(-size/rate)) objects and w * size bytes. A block of no
 * bytes is sampled as if it had one. What does not fit the units is rounded up or down by chance (`random`), so that
 * sums have no bias; at rate 0 and 1 all is exact: one object of `size` bytes. */
struct heap_weight heap_weigh(uint64_t size, uint64_t rate, uint64_t random);

#endif
