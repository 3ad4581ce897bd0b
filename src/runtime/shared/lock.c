/* lock.c - the waiting side of the leaf locks. */
#include "runtime/shared/lock.h"

void lock_wait(struct lock *lock)
{
	while (!lock_try(lock)) {
		/* Holders are inside a few microseconds of work, or our own thread in a copy: yielding costs less than a futex
		 * word that every release in a hook would have to look at. */
		struct timespec pause = { 0, 20000 };
		sys3(SYS_nanosleep, (long)&pause, 0, 0);
	}
	lock->taken_ns = monotonic_ns();
}

void lock_done(struct lock *lock)
{
	uint64_t held = monotonic_ns() - lock->taken_ns;
	if (held > atomic_load_explicit(&lock->longest_hold_ns, memory_order_relaxed))
		atomic_store_explicit(&lock->longest_hold_ns, held, memory_order_relaxed);
	lock_release(lock);
}
