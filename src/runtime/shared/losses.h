/* losses.h - everything that the runtime could not record, counted: served on the index page and as comments.
 *
 * Counting is one relaxed atomic add; any territory, any thread.
 */
#ifndef CPPROF_RUNTIME_SHARED_LOSSES_H
#define CPPROF_RUNTIME_SHARED_LOSSES_H

#include <stdatomic.h>
#include <stdint.h>

/* name, what the reader is told */
#define LOSSES(X) \
	X(HEAP_BUSY, "heap samples dropped because a lock was busy") \
	X(HEAP_FULL, "heap samples dropped because the table of live samples was full") \
	X(FREE_BUSY, "frees of sampled blocks noticed late because a lock was busy") \
	X(STACKS_FULL, "samples booked to [overflow] because the table of stacks was full or busy") \
	X(STACK_CUT, "stacks cut in the middle because they were too deep") \
	X(UNWIND_FAILED, "stacks that could not be unwound to their root") \
	X(THREADS_FULL, "threads not recorded because the table was full") \
	X(THREAD_SILENT, "threads that did not answer a dump in time") \
	X(THREAD_MOVED, "threads that kept moving while they were read") \
	X(CPU_RING_FULL, "CPU samples booked to [lost samples] because the ring was full") \
	X(CPU_THREADS_FULL, "threads without CPU samples because no timer, descriptor or slot could be had") \
	X(CONTENTION_FULL, "waits booked to [overflow] because the table of waits was full") \
	X(WAITERS_FULL, "waits for locks that no unlocker was charged for because the table of waiters was full") \
	X(UNLOADED, "unloaded files of which the place could not be kept, or only with that of a neighbour") \
	X(EINTR_SEEN, "system calls that returned EINTR because of our signal and could not be resumed") \
	X(NO_MEMORY, "requests given up for lack of memory")

enum loss {
#define LOSS_ENUM(name, text) LOSS_##name,
	LOSSES(LOSS_ENUM)
#undef LOSS_ENUM
			LOSS_COUNT
};

extern _Atomic uint64_t losses[LOSS_COUNT];

static inline void loss_count(enum loss which)
{
	atomic_fetch_add_explicit(&losses[which], 1, memory_order_relaxed);
}

const char *loss_text(enum loss which);

#endif
