/* tls.h - what each of the host's threads carries for us: one small block of initial-exec thread-local memory.
 *
 * Reached without a call, so that hooks and handlers may use it. On our service thread it reads as zeros.
 */
#ifndef CPPROF_RUNTIME_SHARED_TLS_H
#define CPPROF_RUNTIME_SHARED_TLS_H

#include <stdint.h>

struct thread_record;

struct tls {
	int64_t heap_left; /* bytes until this thread's next heap sample (hooks/malloc.c) */
	uint64_t random;   /* xorshift state, 0 = not seeded */
	struct thread_record *thread;
	/* > 0 while code of ours runs on behalf of this thread: hooks then pass straight to the real function. */
	uint32_t guard;
	uint32_t cpu_slot; /* slot + 1 of this thread's CPU samples, 0 = unknown; to be checked against the slot's tid */
};

extern __thread struct tls tls __attribute__((tls_model("initial-exec")));

#endif
