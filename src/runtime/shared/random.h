/* random.h - the numbers that sampling is drawn with. Any territory.
 */
#ifndef CPPROF_RUNTIME_SHARED_RANDOM_H
#define CPPROF_RUNTIME_SHARED_RANDOM_H

#include <stdint.h>

/* The next number of a xorshift64* sequence; *state must not be 0. */
static inline uint64_t random_next(uint64_t *state)
{
	uint64_t x = *state;
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545F4914F6CDD1Du;
}

/* A state that is not 0 from any number: the splitmix64 finalizer. */
static inline uint64_t random_seed(uint64_t from)
{
	uint64_t x = from + 0x9E3779B97F4A7C15u;
	x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
	x = (x ^ x >> 27) * 0x94D049BB133111EBu;
	x ^= x >> 31;
	return x ? x : 1;
}

#endif
