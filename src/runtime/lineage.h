/* lineage.h - where this process comes from: `cpprof run`, or a process that carries the library, too. From the constructor and
 * the hooks; no errno, no allocation.
 */
#ifndef CPPROF_RUNTIME_LINEAGE_H
#define CPPROF_RUNTIME_LINEAGE_H

#include <stdbool.h>

/* True in the process that `cpprof run` became: whatever it executes without a fork still is. */
bool lineage_is_run_target(void);
/* True in a program that a child of a profiled process has executed: of the one that `cpprof run` started, or, where the program
 * was preloaded by hand, of a parent that carries the library now. */
bool lineage_is_child_program(void);
/* The parent carries the library. */
bool lineage_parent_is_profiled(void);

#endif
