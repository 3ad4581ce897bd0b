/* cfi_expression.h - DWARF expressions in call frame information: the stack machine, bounded.
 */
#ifndef CPPROF_RUNTIME_SIGNAL_CFI_EXPRESSION_H
#define CPPROF_RUNTIME_SIGNAL_CFI_EXPRESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/signal/stack_memory.h"

/* Evaluates `length` bytes; `push_cfa`: the CFA lies on the stack at first. False: an unknown operation, an unknown register, memory
 * that is not there. */
bool cfi_evaluate(const uint8_t *expression, uint64_t length, const uintptr_t *registers, uint32_t known,
                  struct stack_memory *memory, bool push_cfa, uintptr_t cfa, uintptr_t *ret_value);

#endif
