/* lock_names.h - the names that the program has given to its locks (cpprof_lock_name), for labels.
 *
 * Bounded, lock-free for readers; names are copied. Setting: API callers (any thread of the host). Reading: P.
 */
#ifndef CPPROF_RUNTIME_HOOKS_LOCK_NAMES_H
#define CPPROF_RUNTIME_HOOKS_LOCK_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#define LOCK_NAMES_MAX 4096u
#define LOCK_NAME_SIZE 64u /* with the zero byte; longer names are cut */

/* NULL or "": the lock's name is forgotten. 0, or -ENOSPC. */
int lock_name_set(uint64_t lock, const char *name);
/* The name, copied; false: it has none. */
bool lock_name_get(uint64_t lock, char ret_name[LOCK_NAME_SIZE]);
void lock_names_forked(void);

#endif
