/* malloc.h - heap profiling, to those who start it up and to its collector. The hooks themselves are libc's names.
 */
#ifndef CPPROF_RUNTIME_HOOKS_MALLOC_H
#define CPPROF_RUNTIME_HOOKS_MALLOC_H

#include <stdbool.h>

/* Finds the real functions and decides whether heap profiling is on. From the constructor; the first hook called does it by
 * itself. Idempotent, any thread. */
void heap_init(void);
/* No more system calls from the hooks: the program is about to install a filter that may kill it for one of ours. For good. */
void heap_stop(void);
/* In a fork child, before anything else, by the thread that is left. Also makes stack_table.h's tables usable. */
void heap_forked(void);

enum heap_state {
	HEAP_UNDECIDED, /* the environment has not been seen yet */
	HEAP_ON,
	HEAP_OFF_SETTING, /* CPPROF_DISABLE or CPPROF_HEAP_RATE=0 */
	HEAP_OFF_OWN,     /* the program's malloc is not ours to see */
	HEAP_OFF_LATE,    /* malloc was bound before the library came */
	HEAP_OFF_FILTER,  /* heap_stop() */
};
enum heap_state heap_state(void);

#endif
