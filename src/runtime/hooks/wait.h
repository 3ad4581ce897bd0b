/* wait.h - how a wrapper publishes that its thread waits, so that a dump can read the thread's stack without a signal.
 *
 * A wrapper is
 *
 *     HOOK int flock(int fd, int operation)
 *     {
 *         WAIT_ENTER(flock, fd, -1);
 *         int result = REAL(flock)(fd, operation);
 *         WAIT_LEAVE();
 *         return result;
 *     }
 *
 * WAIT_ENTER stores the registers of the wrapper's own frame, so the real call must not be the last thing it does (a tail
 * call would give the frame away). No errno changes, no lock, no system call, and nothing happens while our own code runs on
 * this thread (tls.guard).
 *
 * When cancellation, pthread_exit or a C++ exception unwinds through a wrapper, the personality routine of its frame takes the
 * publication back; longjmp's hooks do so for longjmp (longjmp.c). A wrapper in a signal handler that interrupted another
 * publishes over it: the outer wait is then no longer published when the handler returns, and a dump finds it through /proc.
 */
#ifndef CPPROF_RUNTIME_HOOKS_WAIT_H
#define CPPROF_RUNTIME_HOOKS_WAIT_H

#include "runtime/hooks/real.h"
#include "runtime/life.h"
#include "runtime/shared/process.h"
#include "runtime/shared/sys.h"
#include "runtime/shared/threads.h"
#include "runtime/shared/tls.h"

/* The record to publish in, or NULL: not now. fd: what life_waits wants to know. */
static inline struct thread_record *wait_record(int fd)
{
	if (HOOK_UNLIKELY(tls.guard || hooks_off))
		return NULL;
	process_check();
	life_waits(fd);
	struct thread_record *record = tls.thread;
	if (HOOK_UNLIKELY(!record))
		return thread_self();
	return HOOK_UNLIKELY(record == &thread_nobody) ? NULL : record;
}

/* Makes the sequence even, should it be odd, and writes what the wait is. The registers follow. */
static inline void wait_describe(struct thread_record *record, enum wait_call call, uint64_t object, uint64_t since_ns)
{
	uint32_t sequence = atomic_load_explicit(&record->wait_sequence, memory_order_relaxed);
	atomic_store_explicit(&record->wait_sequence, (sequence + 1) & ~1u, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&record->wait_call, call, memory_order_relaxed);
	atomic_store_explicit(&record->wait_object, object, memory_order_relaxed);
	atomic_store_explicit(&record->wait_since_ns, since_ns, memory_order_relaxed);
}

static inline void wait_publish(struct thread_record *record)
{
	uint32_t sequence = atomic_load_explicit(&record->wait_sequence, memory_order_relaxed);
	atomic_store_explicit(&record->wait_sequence, sequence | 1u, memory_order_release);
}

static inline void wait_end(struct thread_record *record)
{
	uint32_t sequence = atomic_load_explicit(&record->wait_sequence, memory_order_relaxed);
	atomic_store_explicit(&record->wait_sequence, (sequence + 1) & ~1u, memory_order_release);
}

/* Takes back what this thread has published: its wrapper will not return. */
void wait_abandon(void);

/* Names wait_personality (waits.c) in the unwind table of the function it stands in: pc-relative, 4 bytes. */
#define WAIT_UNWINDS __asm__ volatile(".cfi_personality 0x1b, cpprof_wait_personality")

#define WAIT_ENTER_SINCE(call, object, fd, since_ns) \
	WAIT_UNWINDS; \
	struct thread_record *waiting = wait_record(fd); \
	if (waiting) { \
		wait_describe(waiting, WAIT_##call, (uint64_t)(object), since_ns); \
		UNWIND_HERE(&waiting->wait_registers); \
		wait_publish(waiting); \
	} \
	static_assert(1, "takes the semicolon")

#define WAIT_ENTER(call, object, fd) WAIT_ENTER_SINCE(call, object, fd, clock_ns(CLOCK_MONOTONIC_COARSE))

/* For calls that mostly do not wait, and where reading the clock would be most of what we cost: the first dump that finds the
 * thread waiting remembers when that was. */
#define WAIT_ENTER_UNTIMED(call, object, fd) WAIT_ENTER_SINCE(call, object, fd, 0)

#define WAIT_LEAVE() \
	do { \
		if (waiting) \
			wait_end(waiting); \
	} while (0)

#endif
