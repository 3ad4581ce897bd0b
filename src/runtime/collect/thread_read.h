/* thread_read.h - the stacks of all threads, one after the other, as a dump needs them. Our own thread or the API, inside work_run.
 */
#ifndef CPPROF_RUNTIME_COLLECT_THREAD_READ_H
#define CPPROF_RUNTIME_COLLECT_THREAD_READ_H

#include "runtime/collect/collect.h"

/* Told of each thread that could be found: `index` is its place in the order of creation. The view lasts until the next call. */
typedef void thread_visit(void *arg, uint32_t index, const struct thread_view *view);

/* Visits every thread but ours, in no order. `details`: with names and state letters, which cost more than the stacks. `announce` (may be
 * NULL) is called first, with the number of threads: each index is below it. */
void threads_read(bool details, void (*announce)(void *arg, uint32_t count), thread_visit *visit, void *arg);

#endif
