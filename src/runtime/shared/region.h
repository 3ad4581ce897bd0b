/* region.h - memory for one piece of work (a request, a dump), released all at once; and what stands in for malloc
 * when base/, wire/ and profile/ are compiled into the runtime (own_libc.h).
 *
 * One piece of work at a time in the process: work_run waits for its turn. Memory comes from pages.h, so that nothing of
 * ours shows in the host's heap. When the kernel gives no more, work_run returns false.
 */
#ifndef CPPROF_RUNTIME_SHARED_REGION_H
#define CPPROF_RUNTIME_SHARED_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Runs `work(arg)` in a fresh region. False (and LOSS_NO_MEMORY counted) if memory ran out: `work` was left where it stood, so it
 * must hold nothing but region memory; descriptors it opened must be in *arg for its caller to close. Our own thread, or callers
 * of the API; never hooks or handlers. Not to be nested. */
bool work_run(void (*work)(void *arg), void *arg);

/* Region memory, only inside work_run. Zeroed; never NULL. Also reached as xmalloc and so on. */
void *work_alloc(size_t size) __attribute__((returns_nonnull));
void *work_alloc_array(size_t count, size_t size) __attribute__((returns_nonnull));
/* Gives up the work in progress: work_run returns false. */
_Noreturn void work_out_of_memory(void);

/* In a fork child, before anything else. */
void work_forked(void);
/* The longest that one piece of work has taken, nanoseconds. */
uint64_t work_longest_ns(void);

#endif
