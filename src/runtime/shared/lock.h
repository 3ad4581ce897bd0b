/* lock.h - the runtime's leaf locks.
 *
 * Hooks only ever try (lock_try): what cannot be had at once is dropped and counted. Our own thread and the API wait
 * (lock_wait). A holder must not be interruptible by the host's handlers: hooks block all signals around the critical
 * section (sys_block_signals), so neither siglongjmp nor a second entry on the same thread can meet a held lock.
 * A fork child calls lock_reset on each lock before it uses it: the holder may not exist there.
 */
#ifndef CPPROF_RUNTIME_SHARED_LOCK_H
#define CPPROF_RUNTIME_SHARED_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/shared/sys.h"

struct lock {
	_Atomic uint32_t held;
	_Atomic uint64_t longest_hold_ns; /* by those who use lock_wait */
	uint64_t taken_ns;
};

/* A short spin, then false: for hooks. */
static inline bool lock_try(struct lock *lock)
{
	for (int spins = 0; spins < 64; spins++) {
		if (!atomic_load_explicit(&lock->held, memory_order_relaxed) &&
		    !atomic_exchange_explicit(&lock->held, 1, memory_order_acquire))
			return true;
		__builtin_ia32_pause();
	}
	return false;
}

static inline void lock_release(struct lock *lock)
{
	atomic_store_explicit(&lock->held, 0, memory_order_release);
}

/* Waits as long as it takes; for our own thread and for callers of the API, never for hooks. */
void lock_wait(struct lock *lock);
/* The end of lock_wait's section: keeps the longest hold. */
void lock_done(struct lock *lock);
static inline void lock_reset(struct lock *lock)
{
	atomic_store_explicit(&lock->held, 0, memory_order_relaxed);
}

#endif
