/* number.h - arithmetic with Go's results where C leaves them undefined. */
#ifndef CPPROF_BASE_NUMBER_H
#define CPPROF_BASE_NUMBER_H

#include <stdint.h>

/* Truncates; what does not fit gives INT64_MIN, as Go's conversion does on amd64. */
static inline int64_t int64_from_double(double value)
{
	if (value >= -9223372036854775808.0 && value < 9223372036854775808.0)
		return (int64_t)value;
	return INT64_MIN;
}

/* Sum modulo 2^64. */
static inline int64_t int64_add(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

/* |value|; INT64_MIN stays what it is. */
static inline int64_t int64_magnitude(int64_t value)
{
	return value < 0 ? (int64_t)(0 - (uint64_t)value) : value;
}

#endif
