/* chaos.h - what the parts of chaos share: how a wrong result ends the program, how workers tell that they go on, and what was planted for the
 * profiles to find. Also for C++ (chaos_cxx.cpp).
 */
#ifndef CHAOS_H
#define CHAOS_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CANARY 7777

/* Ends the program with a message. No stdio: also in handlers and children. */
static inline void chaos_fail(const char *what, const char *file, int line)
{
	char text[512];
	int length = snprintf(text, sizeof(text), "chaos: pid %d, %s:%d: %s (errno %d)\n", (int)getpid(), file, line, what,
	                      errno);
	if (length > 0 && write(2, text, (size_t)length) < 0)
		_exit(98);
	abort();
}

/* It must be so. */
#define MUST(condition) \
	do { \
		if (!(condition)) \
			chaos_fail(#condition, __FILE__, __LINE__); \
	} while (0)
/* A call that returns 0 and leaves errno alone. */
#define QUIET(call) \
	do { \
		errno = CANARY; \
		int result_ = (call); \
		int error_ = errno; \
		if (result_ != 0 || error_ != CANARY) { \
			errno = result_ ? result_ : error_; \
			chaos_fail(#call, __FILE__, __LINE__); \
		} \
	} while (0)

static inline uint64_t chaos_now(clockid_t clock)
{
	struct timespec time;
	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static inline struct timespec chaos_after(clockid_t clock, uint64_t ns)
{
	uint64_t then = chaos_now(clock) + ns;
	struct timespec time = { (time_t)(then / 1000000000u), (long)(then % 1000000000u) };
	return time;
}

static inline uint32_t chaos_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

#endif
