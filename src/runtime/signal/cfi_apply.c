/* cfi_apply.c - the meaning of the rules of a row. */
#include "runtime/signal/cfi_apply.h"

static bool find_cfa(const struct cfi_row *row, const struct cfi_registers *registers, struct stack_memory *memory,
                     uintptr_t *ret_cfa)
{
	if (row->cfa_register == CFI_CFA_EXPRESSION) {
		size_t length;
		const uint8_t *code = cfi_expression(row, row->cfa_value, &length);
		return cfi_evaluate(code, length, registers, memory, NULL, ret_cfa);
	}
	if (!(registers->known >> row->cfa_register & 1))
		return false;
	*ret_cfa = registers->at[row->cfa_register] + (uintptr_t)(intptr_t)row->cfa_value;
	return true;
}

static bool find_value(const struct cfi_row *row, unsigned number, const struct cfi_registers *callee, uintptr_t cfa,
                       struct stack_memory *memory, uintptr_t *ret_value)
{
	const struct cfi_rule *rule = &row->rules[number];
	uintptr_t offset = (uintptr_t)(intptr_t)rule->value;
	size_t length;
	switch (rule->kind) {
	case CFI_SAME:
		*ret_value = callee->at[number];
		return callee->known >> number & 1;
	case CFI_OFFSET:
		return stack_memory_word(memory, cfa + offset, ret_value);
	case CFI_VAL_OFFSET:
		*ret_value = cfa + offset;
		return true;
	case CFI_REGISTER:
		if (offset >= CFI_REGISTERS || !(callee->known >> offset & 1))
			return false;
		*ret_value = callee->at[offset];
		return true;
	case CFI_EXPRESSION:
	case CFI_VAL_EXPRESSION: {
		const uint8_t *code = cfi_expression(row, rule->value, &length);
		return cfi_evaluate(code, length, callee, memory, &cfa, ret_value) &&
		       (rule->kind == CFI_VAL_EXPRESSION || stack_memory_word(memory, *ret_value, ret_value));
	}
	}
	return false; /* undefined */
}

bool cfi_apply(const struct cfi_row *row, struct cfi_registers *registers, struct stack_memory *memory)
{
	struct cfi_registers callee = *registers;
	uintptr_t cfa;
	if (!find_cfa(row, &callee, memory, &cfa))
		return false;
	registers->known = 0;
	for (unsigned number = 0; number < CFI_REGISTERS; number++)
		if (find_value(row, number, &callee, cfa, memory, &registers->at[number]))
			registers->known |= 1u << number;
	if (row->rules[CFI_RSP].kind == CFI_SAME) { /* the CFA is what rsp was before the call, by its definition */
		registers->at[CFI_RSP] = cfa;
		registers->known |= 1u << CFI_RSP;
	}
	const uint32_t needed = 1u << CFI_RSP | 1u << CFI_RA;
	return row->rules[CFI_RA].kind != CFI_SAME && (registers->known & needed) == needed;
}
