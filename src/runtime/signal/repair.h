/* repair.h - finding rbp where nobody has saved it.
 *
 * A thread that waits in a bare system call is known by its pc and sp alone. If a caller addresses its frame by rbp, and nothing between has
 * pushed rbp, its value is still in the register, out of reach. But that caller's own frame begins with the return address and the saved
 * rbp of its caller: a slot pair (old rbp, return address) whose call leads to the function in question. Where it lies is what rbp holds.
 */
#ifndef CPPROF_RUNTIME_SIGNAL_REPAIR_H
#define CPPROF_RUNTIME_SIGNAL_REPAIR_H

#include "runtime/signal/stack_memory.h"

/* The value of rbp in the function that begins at `function` and whose frame contains `sp`. The nearest slot above sp whose return address
 * stands behind a direct call of the function; failing that the nearest behind an indirect call or one through the PLT. */
bool repair_find_bp(struct stack_memory *memory, uintptr_t sp, uintptr_t function, uintptr_t *ret_bp);

#endif
