/* contention.h - the sums of all waits so far, by stack: what the profiles block, mutex and wait are made of.
 *
 * One table, bounded, lock-free: adding is a probe and two atomic additions, from any hook, also in a handler of the
 * host that interrupted another addition. Entries are never removed; in a fork child the table is empty. Waits in progress are not in here.
 */
#ifndef CPPROF_RUNTIME_SHARED_CONTENTION_H
#define CPPROF_RUNTIME_SHARED_CONTENTION_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/shared/threads.h"

#define CONTENTION_UNIT 256u /* counts are in 1/256 waits */

enum contention_kind {
	CONTENTION_BLOCK, /* waits for other threads, by the waiter's stack */
	CONTENTION_MUTEX, /* the same for locks, by the unlocker's stack */
	CONTENTION_WAIT,  /* waits for I/O, time, signals, processes */
	CONTENTION_KINDS
};

/* Where a wait in this call belongs: BLOCK or WAIT. WAIT_CALLS has those that wait for other threads first; of the system calls, futex alone comes
 * with a wait. */
static inline enum contention_kind contention_kind_of(enum wait_call call)
{
	bool blocks = (call > WAIT_NONE && call <= WAIT_thrd_join) || call == WAIT_syscall;
	return blocks ? CONTENTION_BLOCK : CONTENTION_WAIT;
}

struct contention {
	enum contention_kind kind;
	enum wait_call call; /* WAIT_NONE in CONTENTION_MUTEX */
	uint32_t stack;      /* stack_table id */
	uint64_t object;     /* address of the lock, condition, semaphore, barrier; 0: none, or too many */
	uint64_t count;      /* CONTENTION_UNIT */
	uint64_t ns;
};

/* Adds to the sums of this key. Behind 1,024 keys with an object, new ones lose theirs; when the table is full, their stack
 * (STACK_OVERFLOW, LOSS_CONTENTION_FULL). H. */
void contention_add(const struct contention *more);

/* Slots 0 to CONTENTION_SLOTS - 1; false = empty. Any thread, no lock: count and ns of one entry may be one wait apart. */
#define CONTENTION_SLOTS 32768u
bool contention_at(uint32_t slot, struct contention *ret_entry);
/* Entries of this kind. */
uint32_t contention_count(enum contention_kind kind);
/* In a fork child, before anything else. */
void contention_forked(void);

/* Go's sampling: of waits shorter than the rate a share d/rate is kept, and counts rate/d waits of d each; longer ones are all kept, once.
 * False: not kept. Else in *ret_count (CONTENTION_UNIT) and *ret_ns what to add. Rate 1: every wait; 0: none. `random`: 64 bits. Wait, rate and
 * *ret_ns may as well all be ticks. A wait of no length is kept at rate 1 only. Any territory. */
bool contention_sample(uint64_t wait_ns, uint64_t rate_ns, uint64_t random, uint64_t *ret_count, uint64_t *ret_ns);

#endif
