/* wait_record.h - the slow side of the wait wrappers: what has been waited for goes into the sums (shared/contention.h).
 *
 * Called for the few waits that are kept, with the registers of the wrapper's frame, which is the leaf of the stack. Preserves errno;
 * blocks the host's signals meanwhile. Territory H.
 */
#ifndef CPPROF_RUNTIME_HOOKS_WAIT_RECORD_H
#define CPPROF_RUNTIME_HOOKS_WAIT_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/shared/contention.h"
#include "runtime/signal/unwind.h"

/* The rates in ticks; 0 = the page is off (settings, hooks_off, a filter of system calls). CONTENTION_MUTEX has BLOCK's. */
extern uint64_t wait_rates[CONTENTION_KINDS] __attribute__((visibility("hidden")));
/* What takes less, of calls that mostly do not wait, is no wait: WAIT_FLOOR_NS in ticks. */
extern uint64_t wait_floor_ticks __attribute__((visibility("hidden")));
#define WAIT_FLOOR_NS 2000u

/* When settings and ticks are known, and again when hooks are switched off (life_stop): then the process's gate is closed, too. */
void wait_rates_set(void);

/* What a wait counts for in the sums: `count` in CONTENTION_UNIT, 0 = it is not kept. */
struct wait_weight {
	uint64_t count, ns;
};
/* Whether a wait of so many ticks is kept, by contention_sample's rule. Preserves errno; no system call, no unwinding. */
struct wait_weight wait_weigh(enum contention_kind kind, uint64_t wait_ticks);
/* Adds it. `here`: UNWIND_HERE in the wrapper. */
void wait_record(const struct contention *wait, const struct unwind_registers *here);

/* This thread is about to unlock, and somebody waits for some lock (waiters_total): whoever waits for this one is charged, and what that weighs is
 * returned. Preserves errno, touches no memory of the lock. */
struct wait_weight unlock_charge(uint64_t lock);

/* The address that names a wait in this call, whose wrapper's frame is `leaf`: the frame may be of a function behind the hook, which has a
 * name of its own. */
uintptr_t wait_leaf(enum wait_call call, uintptr_t leaf);

#endif
