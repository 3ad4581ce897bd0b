/* unloaded.h - where files lay that have been unloaded: a stack that was recorded before must not get the names of what lies there now.
 *
 * Filled by the hook of dlclose (hooks/unload.c). Bounded; read without a lock. It stays in a fork child: it is about addresses, which are
 * the child's, too.
 */
#ifndef CPPROF_RUNTIME_SHARED_UNLOADED_H
#define CPPROF_RUNTIME_SHARED_UNLOADED_H

#include <stdbool.h>
#include <stdint.h>

#define UNLOADED_RANGES 256u /* beyond: neighbours become one, counted in LOSS_UNLOADED */

struct unloaded_module {
	uintptr_t low, high; /* from its first byte to the first one behind it */
	uint64_t identity;   /* a hash of its build id; 0 = unknown */
};
/* Whether that very module lies in the same place again. Any territory. */
typedef bool unloaded_is_back(const struct unloaded_module *module);

/* The module has gone; stacks with ids below `stacks` (stack_table_count()) may have been recorded while it was there. From hooks, with the
 * host's signals blocked; is_back is kept, and the same for all. */
void unloaded_add(const struct unloaded_module *module, uint32_t stacks, unloaded_is_back *is_back);

/* Changes with each unloaded_add, growing. Any territory. */
uint32_t unloaded_sequence(void);
/* True: the address lies where something was unloaded since unloaded_sequence() was `sequence`. Any territory. */
bool unloaded_since(uintptr_t address, uint32_t sequence);

/* True: the frame of the stack with this id, which lay in a module when the stack was first recorded, lies in none or another one now. Not if
 * the same module has come back to its place. Any territory. */
bool unloaded_frame(uintptr_t address, uint32_t stack);
/* True: one of the frames of the stack with this id does. */
bool unloaded_stack(const uintptr_t *frames, uint32_t count, uint32_t stack);
/* The frames, with PSEUDO_UNLOADED in the place of those, into `to`, which has room for `count`. */
void unloaded_replace(const uintptr_t *frames, uint32_t count, uint32_t stack, uintptr_t *to);

/* In a fork child, before anything else. */
void unloaded_forked(void);

#endif
