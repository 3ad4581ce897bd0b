/* stack_table.h - every stack that was ever sampled, once: stack → dense id, never forgotten, bounded.
 *
 * Memory is ours (pages.h). Lock-free to read by id; adding takes the table's own leaf lock by lock_try.
 */
#ifndef CPPROF_RUNTIME_SHARED_STACK_TABLE_H
#define CPPROF_RUNTIME_SHARED_STACK_TABLE_H

#include <stdint.h>

#include "runtime/shared/frames.h"

#define STACK_OVERFLOW 0u /* the id of the pseudo stack "[overflow]", which always exists */

/* The id of the stack, added if new: one with the same addresses from before a file was unloaded there is another stack. STACK_OVERFLOW (counted in LOSS_STACKS_FULL) when the table has reached its ceiling
 * or its lock is busy. From hooks, with the host's signals blocked. */
uint32_t stack_table_add(const uintptr_t *frames, uint32_t count);
/* The frames of a stack, leaf first; valid for ever. Any thread, no lock. */
const uintptr_t *stack_table_get(uint32_t id, uint32_t *ret_count);
uint32_t stack_table_count(void);
uint64_t stack_table_bytes(void);
/* In a fork child, before anything else. */
void stack_table_forked(void);

#endif
