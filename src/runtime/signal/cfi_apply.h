/* cfi_apply.h - one frame by its full row: from all registers of the callee to all of the caller.
 */
#ifndef CPPROF_RUNTIME_SIGNAL_CFI_APPLY_H
#define CPPROF_RUNTIME_SIGNAL_CFI_APPLY_H

#include "runtime/signal/cfi.h"
#include "runtime/signal/cfi_expression.h"
#include "runtime/signal/stack_memory.h"

/* False, and the registers are in no state to be used: the CFA or the return address cannot be found. A register that
 * the row says nothing of stays what it is: that is right for those that a call preserves, and for the others as long as
 * code by hand leaves them alone, which is where rows need them. */
bool cfi_apply(const struct cfi_row *row, struct cfi_registers *registers, struct stack_memory *memory);

#endif
