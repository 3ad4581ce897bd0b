/* waiters.h - which locks are being waited for: so that an unlocker can tell, and how long its waiters have waited.
 *
 * A table of locks with waiters, keyed by address; nothing is written into the locks themselves. Each entry is 16 bytes that
 * change together (cmpxchg16b): no lock, so hooks in handlers and in the middle of other hooks are safe, and a jump out of one leaves
 * nothing held. Times are ticks (ticks.h).
 *
 * What a wait costs is charged to those who unlock while it lasts, each for the time since the last of them: the sum over
 * all unlockers is the sum of the waits, minus what the waiters took to wake up.
 *
 * Territory H.
 */
#ifndef CPPROF_RUNTIME_HOOKS_WAITERS_H
#define CPPROF_RUNTIME_HOOKS_WAITERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* How many threads wait for any lock: the one word that an uncontended unlock looks at. */
extern _Atomic uint32_t waiters_total __attribute__((visibility("hidden")));

/* The calling thread begins to wait for the lock. Returns what waiters_leave wants; 0 = no room (LOSS_WAITERS_FULL), nothing to leave. */
uint64_t waiters_enter(uint64_t lock, uint64_t now_ticks);
/* It waits no longer: it has the lock, or has given up, or is being unwound. */
void waiters_leave(uint64_t entered, uint64_t now_ticks);
/* The lock is about to be unlocked: the sum, over those who wait for it, of the time since each began or was last charged for, in ticks;
 * 0 = nobody waits for this lock. They are charged by it. */
uint64_t waiters_charge(uint64_t lock, uint64_t now_ticks);
/* In a fork child, before anything else: nobody waits. */
void waiters_forked(void);

#endif
