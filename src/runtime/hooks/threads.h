/* threads.h - what the rest of the runtime calls of the hooks around threads and waits.
 */
#ifndef CPPROF_RUNTIME_HOOKS_THREADS_H
#define CPPROF_RUNTIME_HOOKS_THREADS_H

/* Finds the functions that the hooks stand before, reads the settings, and makes the calling (main) thread's record. From the
 * constructor, before other threads exist; idempotent. A hook that is called earlier does this itself. */
void threads_init(void);

/* Nothing of hooks/ needs to be reset in a fork child beyond threads_forked() (shared/threads.h) and dump_forked()
 * (signal/dump.h). */

#endif
