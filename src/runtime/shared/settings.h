/* settings.h - what the environment asks for, read once at start. Ignored in setuid programs (AT_SECURE).
 *
 * CPPROF_ADDR       127.0.0.1:9527, :9527, [::1]:9527, unix:/run/x.sock, off
 * CPPROF_HEAP_RATE  mean bytes between heap samples (524288); 0 = off, 1 = every block
 * CPPROF_BLOCK_RATE nanoseconds: one sample of block and mutex for so much waiting, on average; 0 = off, 1 = every wait
 * CPPROF_WAIT_RATE  the same for the profile `wait`
 * CPPROF_FOLLOW     0: programs that a child of ours executes do not carry the library (LD_PRELOAD is taken out)
 * CPPROF_DISABLE    comma-separated:
 *                     all      the library does nothing
 *                     heap     as CPPROF_HEAP_RATE=0
 *                     threads  wait wrappers publish and record nothing
 *                     block    as CPPROF_BLOCK_RATE=0
 *                     wait     as CPPROF_WAIT_RATE=0
 *                     signals  running threads are not interrupted: no stacks of theirs, no CPU profile
 *                     perf     CPU samples by timers even where perf_event is permitted
 *                     names    no symbols inside profiles
 *                     helper   no helper process for lines
 * CPPROF_HELPER     path of the cpprof tool that reads DWARF for us
 */
#ifndef CPPROF_RUNTIME_SHARED_SETTINGS_H
#define CPPROF_RUNTIME_SHARED_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

struct settings {
	bool secure;   /* AT_SECURE: the environment was ignored */
	bool disabled; /* CPPROF_DISABLE=all: the library does nothing at all */
	bool heap_off, threads_off, block_off, wait_off, signals_off, perf_off, names_off, helper_off;
	bool follow;
	uint64_t heap_rate;
	uint64_t block_rate_ns, wait_rate_ns; /* 0: the profile is off */
	char address[256];                    /* "" = none */
	struct bad_rate {
		const char *name, *text; /* of a rate that is no number, as it stands in the environment; NULL: none */
	} bad_rate;
	const char *bad_disable; /* CPPROF_DISABLE from the first unknown word on; else NULL */
	char helper[256];        /* "" = look beside the library */
};

extern struct settings settings;

/* Reads the environment; idempotent, callable before libc is ready (it walks environ itself). */
void settings_read(void);

#endif
