/* settings.h - what the environment asks for, read once at start. Ignored in setuid programs (AT_SECURE).
 *
 * CPPROF_ADDR       127.0.0.1:9527, :9527, [::1]:9527, unix:/run/x.sock, off
 * CPPROF_HEAP_RATE  mean bytes between heap samples (524288); 0 = off, 1 = every block
 * CPPROF_FOLLOW     0: programs that a child of ours executes do not carry the library (LD_PRELOAD is taken out)
 * CPPROF_DISABLE    comma-separated: all, heap, threads (wait wrappers publish nothing), signals (running threads are not
 *                   interrupted for their stacks), names (no symbols inside profiles), helper (no helper process for lines)
 * CPPROF_HELPER     path of the cpprof tool that reads DWARF for us
 */
#ifndef CPPROF_RUNTIME_SHARED_SETTINGS_H
#define CPPROF_RUNTIME_SHARED_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

struct settings {
	bool secure;   /* AT_SECURE: the environment was ignored */
	bool disabled; /* CPPROF_DISABLE=all: the library does nothing at all */
	bool heap_off, threads_off, signals_off, names_off, helper_off;
	bool follow;
	uint64_t heap_rate;
	char address[256];       /* "" = none */
	const char *bad_rate;    /* CPPROF_HEAP_RATE when it is no number, as it stands in the environment; else NULL */
	const char *bad_disable; /* the same of CPPROF_DISABLE, from the unknown word on */
	char helper[256];        /* "" = look beside the library */
};

extern struct settings settings;

/* Reads the environment; idempotent, callable before libc is ready (it walks environ itself). */
void settings_read(void);

#endif
