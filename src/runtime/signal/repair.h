/* repair.h - finding rbp where nobody has saved it, and telling return addresses by the call in front of them.
 *
 * A thread that waits in a bare system call is known by its pc and sp alone. If a caller addresses its frame by rbp, and
 * nothing between has pushed rbp, its value is still in the register, out of reach. But the frame of that caller holds
 * its return address, which stands behind a call of the very function: from its slot follows what rbp must be.
 */
#ifndef CPPROF_RUNTIME_SIGNAL_REPAIR_H
#define CPPROF_RUNTIME_SIGNAL_REPAIR_H

#include "runtime/signal/stack_memory.h"

enum repair_call {
	REPAIR_NO_CALL,
	REPAIR_DIRECT,
	REPAIR_INDIRECT, /* through a register or a pointer: of whom is not to be seen */
};
/* What kind of call stands in front of `return_address`, and with REPAIR_DIRECT of whom. */
enum repair_call repair_call_before(uintptr_t return_address, uintptr_t *ret_target);

/* The value of rbp in the function that begins at `function` and whose frame contains `sp`, where its return address
 * lies at rbp + to_return. The nearest slot above sp whose return address stands behind a call of the function; failing
 * that the nearest behind a call of which it is not to be seen whom it calls. */
bool repair_find_bp(struct stack_memory *memory, uintptr_t sp, uintptr_t function, uintptr_t to_return,
                    uintptr_t *ret_bp);

#endif
