/* heap_sample.h - which blocks are sampled, and what is done with one: the part that all allocation hooks share.
 *
 * A hook calls heap_countdown() on every allocation: one subtraction and one branch. All that is rare meets in
 * heap_due(). Territory H.
 */
#ifndef CPPROF_RUNTIME_HOOKS_HEAP_SAMPLE_H
#define CPPROF_RUNTIME_HOOKS_HEAP_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/hooks/live_table.h"
#include "runtime/shared/tls.h"

#define HEAP_RARE(condition) __builtin_expect(!!(condition), 0)
#define HEAP_SLOW __attribute__((noinline, cold))
/* Weak: in a static link the program's own definition stands, as it does with the shared library. */
#define HEAP_HOOK __attribute__((visibility("default"), weak))

/* Counts a block's bytes (no bytes: as one byte). True: nothing was counted, ask heap_due() with the same size. The
 * countdown never passes zero, whatever a handler that interrupts it, and jumps away, leaves undone. */
static inline bool heap_countdown(size_t size)
{
	uint64_t left;
	if (HEAP_RARE(__builtin_sub_overflow((uint64_t)tls.heap_left, (uint64_t)size + (size == 0), &left)))
		return true;
	tls.heap_left = (int64_t)left;
	return false;
}

/* After heap_countdown() was true: is the block to be sampled? Draws the distance to the next sample. Also gets here: a
 * thread's first allocation, calls of our own (guard), heap profiling that is off. */
bool heap_due(size_t size);
/* Records a sampled block, after the real function has returned it; NULL is passed over. Preserves errno. The caller of
 * the hook is the leaf of the stack. */
void heap_record(const void *block, size_t size);
/* Takes out a block that is about to be given back, if it was sampled; true and *ret_sample (may be NULL) then. After
 * live_filter_hit(). Preserves errno. */
bool heap_forget(const void *block, struct live_sample *ret_sample);
/* It was not given back after all. */
void heap_remember(const struct live_sample *sample);

/* True if `call` comes to one of our hooks in this thread, that is: an allocator's function asks malloc for its memory. */
bool heap_call_reaches_hooks(void (*call)(void *arg), void *arg);

#endif
