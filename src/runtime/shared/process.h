/* process.h - facts about this process that do not change, and how a fork is noticed.
 */
#ifndef CPPROF_RUNTIME_SHARED_PROCESS_H
#define CPPROF_RUNTIME_SHARED_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

struct process {
	int pid;             /* as of process_init or process_forked */
	uint64_t started_ns; /* CLOCK_MONOTONIC when the library came up in this process */
	/* /proc/self/cmdline as at exec, zero-separated, without the last zero: setproctitle cannot change it. */
	char cmdline[4096];
	uint32_t cmdline_length;
	char name[64]; /* base name of the executable */
};

extern struct process process;

/* Once, from the constructor or the first hook; idempotent. */
void process_init(void);

/* A page that the kernel empties in a fork child (MADV_WIPEONFORK). Word 0 has PROCESS_ALIVE in the process that was set up and is 0
 * in a child that was not yet, whichever way it was forked. vfork and CLONE_VM children share it. NULL before process_init. */
extern uint32_t *process_alive __attribute__((visibility("hidden")));
#define PROCESS_ALIVE 1u
#define PROCESS_OPEN 2u /* besides: the wait hooks are on and have nothing left to start or to ask */

/* The same word, or one that is always 0: never NULL. Being open is all that a wait hook asks of the process on its fast path. */
extern uint32_t *process_gate __attribute__((visibility("hidden")));
static inline bool process_is_open(void)
{
	return __builtin_expect(__atomic_load_n(process_gate, __ATOMIC_RELAXED) > PROCESS_ALIVE, 1);
}
/* Opens it, unless it is a fork child that was not set up yet. Who opens looks once more, afterwards, whether it should be closed. */
void process_open(void);
void process_close(void);

/* Every slow path of a hook asks this first. In a fork child it runs, once, all *_forked() functions (life.c). */
void process_check_slow(void);
static inline void process_check(void)
{
	if (__builtin_expect(process_alive && !*process_alive, 0))
		process_check_slow();
}

#endif
