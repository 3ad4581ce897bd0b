/* cfi_expression.c - the operations that make sense in a frame description. False for all others, for a register that is
 * not known, for memory that is not there, and for an expression that does not end.
 */
#include "runtime/signal/cfi_expression.h"

#include "runtime/signal/cfi_reader.h"

#define DEPTH 16
#define STEPS 256

struct evaluation {
	struct cfi_reader code;
	const uint8_t *begin;
	uintptr_t stack[DEPTH];
	uint32_t depth;
	const struct cfi_registers *registers;
	struct stack_memory *memory;
};

static void push(struct evaluation *evaluation, uintptr_t value)
{
	if (evaluation->depth == DEPTH)
		evaluation->code.bad = true;
	else
		evaluation->stack[evaluation->depth++] = value;
}

static uintptr_t pop(struct evaluation *evaluation)
{
	if (!evaluation->depth) {
		evaluation->code.bad = true;
		return 0;
	}
	return evaluation->stack[--evaluation->depth];
}

static void push_register(struct evaluation *evaluation, uint64_t number)
{
	uintptr_t offset = (uintptr_t)cfi_sleb(&evaluation->code);
	if (number >= CFI_REGISTERS || !(evaluation->registers->known >> number & 1))
		evaluation->code.bad = true;
	else
		push(evaluation, evaluation->registers->at[number] + offset);
}

static void dereference(struct evaluation *evaluation, size_t size)
{
	uintptr_t word = 0, address = pop(evaluation);
	if (!size || size > sizeof(word) || evaluation->code.bad ||
	    !stack_memory_word(evaluation->memory, address, &word)) {
		evaluation->code.bad = true;
		return;
	}
	push(evaluation, size < sizeof(word) ? word & (((uintptr_t)1 << (size * 8)) - 1) : word);
}

/* Copies what lies `down` values below the top. */
static void pick(struct evaluation *evaluation, uint64_t down)
{
	if (down >= evaluation->depth)
		evaluation->code.bad = true;
	else
		push(evaluation, evaluation->stack[evaluation->depth - 1 - down]);
}

static void jump(struct evaluation *evaluation, bool taken)
{
	int64_t distance = (int16_t)cfi_bytes(&evaluation->code, 2);
	if (!taken)
		return;
	if (distance < evaluation->begin - evaluation->code.at || distance > evaluation->code.end - evaluation->code.at)
		evaluation->code.bad = true;
	else
		evaluation->code.at += distance;
}

/* const1u to const8s, constu, consts: 0x08 to 0x11. */
static uintptr_t constant(struct cfi_reader *code, uint8_t operation)
{
	switch (operation) {
	case 0x08:
		return cfi_bytes(code, 1);
	case 0x09:
		return (uintptr_t)(int64_t)(int8_t)cfi_bytes(code, 1);
	case 0x0A:
		return cfi_bytes(code, 2);
	case 0x0B:
		return (uintptr_t)(int64_t)(int16_t)cfi_bytes(code, 2);
	case 0x0C:
		return cfi_bytes(code, 4);
	case 0x0D:
		return (uintptr_t)(int64_t)(int32_t)cfi_bytes(code, 4);
	case 0x10:
		return cfi_uleb(code);
	case 0x11:
		return (uintptr_t)cfi_sleb(code);
	}
	return cfi_bytes(code, 8);
}

static uintptr_t compare(uint8_t operation, intptr_t left, intptr_t right)
{
	switch (operation) {
	case 0x29:
		return left == right;
	case 0x2A:
		return left >= right;
	case 0x2B:
		return left > right;
	case 0x2C:
		return left <= right;
	case 0x2D:
		return left < right;
	}
	return left != right;
}

static bool is_binary(uint8_t operation)
{
	return operation == 0x1A || operation == 0x1C || operation == 0x1E || operation == 0x21 || operation == 0x22 ||
	       (operation >= 0x24 && operation <= 0x27) || (operation >= 0x29 && operation <= 0x2E);
}

/* Operations of two operands, the second on top. */
static uintptr_t combine(uint8_t operation, uintptr_t left, uintptr_t right)
{
	switch (operation) {
	case 0x1A:
		return left & right;
	case 0x1C:
		return left - right;
	case 0x1E:
		return left * right;
	case 0x21:
		return left | right;
	case 0x22:
		return left + right;
	case 0x24:
		return right < 64 ? left << right : 0;
	case 0x25:
		return right < 64 ? left >> right : 0;
	case 0x26:
		return (uintptr_t)((intptr_t)left >> (right < 64 ? right : 63));
	case 0x27:
		return left ^ right;
	}
	return compare(operation, (intptr_t)left, (intptr_t)right);
}

static void step(struct evaluation *evaluation)
{
	struct cfi_reader *code = &evaluation->code;
	uint8_t operation = (uint8_t)cfi_bytes(code, 1);
	if (operation >= 0x30 && operation <= 0x4F) { /* lit0 .. lit31 */
		push(evaluation, operation - 0x30u);
	} else if (operation >= 0x70 && operation <= 0x8F) { /* breg0 .. breg31 */
		push_register(evaluation, operation - 0x70u);
	} else if (operation == 0x92) { /* bregx */
		push_register(evaluation, cfi_uleb(code));
	} else if (operation >= 0x08 && operation <= 0x11) {
		push(evaluation, constant(code, operation));
	} else if (operation == 0x06) { /* deref */
		dereference(evaluation, sizeof(uintptr_t));
	} else if (operation == 0x94) { /* deref_size */
		dereference(evaluation, cfi_bytes(code, 1));
	} else if (operation == 0x12) { /* dup */
		pick(evaluation, 0);
	} else if (operation == 0x13) { /* drop */
		pop(evaluation);
	} else if (operation == 0x14) { /* over */
		pick(evaluation, 1);
	} else if (operation == 0x15) { /* pick */
		pick(evaluation, cfi_bytes(code, 1));
	} else if (operation == 0x16) { /* swap */
		uintptr_t top = pop(evaluation), second = pop(evaluation);
		push(evaluation, top);
		push(evaluation, second);
	} else if (operation == 0x23) { /* plus_uconst */
		uintptr_t value = pop(evaluation);
		push(evaluation, value + cfi_uleb(code));
	} else if (operation == 0x1F) { /* neg */
		push(evaluation, 0 - pop(evaluation));
	} else if (operation == 0x20) { /* not */
		push(evaluation, ~pop(evaluation));
	} else if (operation == 0x28) { /* bra */
		jump(evaluation, pop(evaluation) != 0);
	} else if (operation == 0x2F) { /* skip */
		jump(evaluation, true);
	} else if (is_binary(operation)) {
		uintptr_t right = pop(evaluation), left = pop(evaluation);
		push(evaluation, combine(operation, left, right));
	} else if (operation != 0x96) { /* nop */
		code->bad = true;
	}
}

bool cfi_evaluate(const uint8_t *expression, size_t length, const struct cfi_registers *registers,
                  struct stack_memory *memory, const uintptr_t *first, uintptr_t *ret_value)
{
	struct evaluation evaluation; /* its stack is not cleared */
	evaluation.code = (struct cfi_reader){ expression, expression + length, 0, false, false };
	evaluation.begin = expression;
	evaluation.depth = 0;
	evaluation.registers = registers;
	evaluation.memory = memory;
	if (first)
		push(&evaluation, *first);
	for (int steps = 0; evaluation.code.at < evaluation.code.end && !evaluation.code.bad; steps++) {
		if (steps == STEPS)
			return false;
		step(&evaluation);
	}
	*ret_value = pop(&evaluation);
	return !evaluation.code.bad;
}
