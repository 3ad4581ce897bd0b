/* wait.h - how a wrapper publishes that its thread waits, so that a dump can read the thread's stack without a signal; and how it
 * tells how long the wait was.
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
 * this thread (tls.guard). The clock is read, before and after, only while the profile that such waits belong to is on; a wait that
 * is kept for it is recorded with the wrapper's frame as the leaf (wait_record.h). That code stays in the wrapper: in a cold part of
 * its own it would go by another name.
 *
 * When cancellation, pthread_exit or a C++ exception unwinds through a wrapper, the personality routine of its frame takes the
 * publication back; longjmp's hooks do so for longjmp (longjmp.c). A wrapper in a signal handler that interrupted another
 * publishes over it: the outer wait is then no longer published when the handler returns, and a dump finds it through /proc.
 */
#ifndef CPPROF_RUNTIME_HOOKS_WAIT_H
#define CPPROF_RUNTIME_HOOKS_WAIT_H

#include "runtime/hooks/real.h"
#include "runtime/hooks/wait_record.h"
#include "runtime/shared/contention.h"
#include "runtime/shared/process.h"
#include "runtime/shared/threads.h"
#include "runtime/shared/ticks.h"
#include "runtime/shared/tls.h"

/* Whatever stands in the way of a plain publication: a fork child is set up, the service thread started, this thread's record made.
 * NULL: not now. */
struct thread_record *wait_begin_slow(int fd);

/* The record to publish in, or NULL: not now. fd: what life_waits wants to know. */
static inline struct thread_record *wait_begin(int fd)
{
	struct thread_record *record = tls.thread;
	if (HOOK_UNLIKELY(!process_is_open() || tls.guard || !record || record == &thread_nobody))
		return wait_begin_slow(fd);
	return record;
}

/* Makes the sequence even, should it be odd, and writes what the wait is. The registers follow. */
static inline void wait_describe(struct thread_record *record, enum wait_call call, uint64_t object,
                                 uint64_t since_ticks)
{
	uint32_t sequence = atomic_load_explicit(&record->wait_sequence, memory_order_relaxed);
	atomic_store_explicit(&record->wait_sequence, (sequence + 1) & ~1u, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&record->wait_call, call, memory_order_relaxed);
	atomic_store_explicit(&record->wait_object, object, memory_order_relaxed);
	atomic_store_explicit(&record->wait_since_ticks, since_ticks, memory_order_relaxed);
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

/* Takes back what this thread has published, and leaves the locks that it waits for: its wrapper will not return. */
void wait_abandon(void);

/* Names wait_personality (waits.c) in the unwind table of the function it stands in: pc-relative, 4 bytes. */
#define WAIT_UNWINDS __asm__ volatile(".cfi_personality 0x1b, cpprof_wait_personality")

#define WAIT_ENTER(call_name, waited_for, fd) \
	WAIT_UNWINDS; \
	const enum wait_call waiting_in = WAIT_##call_name; \
	const uint64_t waiting_for = (uint64_t)(waited_for); \
	struct thread_record *waiting = wait_begin(fd); \
	uint64_t waiting_since = 0; \
	if (__builtin_expect(waiting != NULL, 1)) { \
		if (wait_rates[contention_kind_of(waiting_in)]) \
			waiting_since = ticks_now(); \
		wait_describe(waiting, waiting_in, waiting_for, waiting_since); \
		UNWIND_HERE(&waiting->wait_registers); \
		wait_publish(waiting); \
	} \
	static_assert(1, "takes the semicolon")

/* `is_wait` may look at `waited`, the ticks that the call has taken. */
#define WAIT_LEAVE_IF(is_wait) \
	do { \
		if (__builtin_expect(waiting != NULL, 1)) \
			wait_end(waiting); \
		if (waiting_since) { \
			uint64_t waited = ticks_now() - waiting_since; \
			(void)waited; \
			struct wait_weight weight = { 0, 0 }; \
			if (is_wait) \
				weight = wait_weigh(contention_kind_of(waiting_in), waited); \
			if (HOOK_UNLIKELY(weight.count)) { \
				struct contention wait = { contention_kind_of(waiting_in), \
					                       waiting_in, \
					                       0, \
					                       contention_kind_of(waiting_in) == CONTENTION_BLOCK ? waiting_for : 0, \
					                       weight.count, \
					                       weight.ns }; \
				struct unwind_registers here; \
				UNWIND_HERE(&here); \
				wait_record(&wait, &here); \
			} \
		} \
	} while (0)

#define WAIT_LEAVE() WAIT_LEAVE_IF(true)
/* For calls that mostly do not wait. */
#define WAIT_LEAVE_UNLESS_SHORT() WAIT_LEAVE_IF(waited >= wait_floor_ticks)

/* True if each timed form of a lock or semaphore accepts this clock and time. Some check them before they try, some, for some kinds of lock, not
 * even when they wait. NULL is no such time, whatever the headers say that a caller may not do. */
static inline bool wait_time_is_plain(clockid_t clock, const struct timespec *until)
{
	__asm__("" : "+r"(until));
	return (clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC) && until && until->tv_sec >= 0 &&
	       until->tv_nsec >= 0 && until->tv_nsec < 1000000000;
}

#endif
