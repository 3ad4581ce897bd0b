/* cfi_expression.h - DWARF expressions in call frame information: the stack machine, bounded (DWARF 5, section 2.5).
 */
#ifndef CPPROF_RUNTIME_SIGNAL_CFI_EXPRESSION_H
#define CPPROF_RUNTIME_SIGNAL_CFI_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/signal/cfi.h"
#include "runtime/signal/stack_memory.h"

/* A register file by DWARF's numbers; the pc is CFI_RA. */
struct cfi_registers {
	uintptr_t at[CFI_REGISTERS];
	uint32_t known; /* bit N: register N */
};

/* What is on the expression's stack at first: nothing, for a CFA; the CFA, for where a register is saved. */
bool cfi_evaluate(const uint8_t *expression, size_t length, const struct cfi_registers *registers,
                  struct stack_memory *memory, const uintptr_t *first, uintptr_t *ret_value);

#endif
