/* cfi_expression.c - the operations that occur in frame descriptions: PLT stubs, signal frames, realigned stacks. */
#include "runtime/signal/cfi_expression.h"

#include <stddef.h>

#define DEPTH 16
#define STEPS 256

struct evaluation {
	const uint8_t *at, *end;
	uintptr_t stack[DEPTH];
	int depth;
	bool bad;
	const uintptr_t *registers;
	uint32_t known;
	struct stack_memory *memory;
};

static void push(struct evaluation *evaluation, uintptr_t value)
{
	if (evaluation->depth == DEPTH)
		evaluation->bad = true;
	else
		evaluation->stack[evaluation->depth++] = value;
}

static uintptr_t pop(struct evaluation *evaluation)
{
	if (!evaluation->depth) {
		evaluation->bad = true;
		return 0;
	}
	return evaluation->stack[--evaluation->depth];
}

static uint64_t operand(struct evaluation *evaluation, size_t size)
{
	uint64_t value = 0;
	if ((size_t)(evaluation->end - evaluation->at) < size) {
		evaluation->bad = true;
		return 0;
	}
	memcpy(&value, evaluation->at, size);
	evaluation->at += size;
	return value;
}

static uint64_t leb(struct evaluation *evaluation, bool is_signed)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 63 && !evaluation->bad;) {
		uint64_t byte = operand(evaluation, 1);
		value |= (byte & 0x7F) << shift;
		shift += 7;
		if (byte & 0x80)
			continue;
		if (is_signed && byte & 0x40)
			value |= ~(uint64_t)0 << shift;
		return value;
	}
	evaluation->bad = true;
	return 0;
}

static void push_register(struct evaluation *evaluation, uint64_t number, uint64_t offset)
{
	if (number > 16 || !(evaluation->known >> number & 1))
		evaluation->bad = true;
	else
		push(evaluation, evaluation->registers[number] + offset);
}

static void dereference(struct evaluation *evaluation)
{
	uintptr_t word = 0;
	if (!stack_memory_word(evaluation->memory, pop(evaluation), &word))
		evaluation->bad = true;
	push(evaluation, word);
}

/* Constants: const1u .. const8s, constu, consts. */
static uintptr_t constant(struct evaluation *evaluation, uint8_t operation)
{
	switch (operation) {
	case 0x08:
		return operand(evaluation, 1);
	case 0x09:
		return (uintptr_t)(int64_t)(int8_t)operand(evaluation, 1);
	case 0x0A:
		return operand(evaluation, 2);
	case 0x0B:
		return (uintptr_t)(int64_t)(int16_t)operand(evaluation, 2);
	case 0x0C:
		return operand(evaluation, 4);
	case 0x0D:
		return (uintptr_t)(int64_t)(int32_t)operand(evaluation, 4);
	case 0x10:
		return leb(evaluation, false);
	case 0x11:
		return leb(evaluation, true);
	}
	return operand(evaluation, 8); /* 0x0E, 0x0F */
}

/* Operations of two operands, the second on top. False: not one of them. */
static bool binary(struct evaluation *evaluation, uint8_t operation)
{
	if (operation < 0x1A || operation > 0x2E || operation == 0x1F || operation == 0x20 || operation == 0x23 ||
	    operation == 0x28 || operation == 0x1B || operation == 0x1D)
		return false;
	uintptr_t right = pop(evaluation), left = pop(evaluation);
	intptr_t signed_right = (intptr_t)right, signed_left = (intptr_t)left;
	switch (operation) {
	case 0x1A:
		push(evaluation, left & right);
		return true;
	case 0x1C:
		push(evaluation, left - right);
		return true;
	case 0x1E:
		push(evaluation, left * right);
		return true;
	case 0x21:
		push(evaluation, left | right);
		return true;
	case 0x22:
		push(evaluation, left + right);
		return true;
	case 0x24:
		push(evaluation, right < 64 ? left << right : 0);
		return true;
	case 0x25:
		push(evaluation, right < 64 ? left >> right : 0);
		return true;
	case 0x26:
		push(evaluation, (uintptr_t)(signed_left >> (right < 64 ? right : 63)));
		return true;
	case 0x27:
		push(evaluation, left ^ right);
		return true;
	case 0x29:
		push(evaluation, left == right);
		return true;
	case 0x2A:
		push(evaluation, signed_left >= signed_right);
		return true;
	case 0x2B:
		push(evaluation, signed_left > signed_right);
		return true;
	case 0x2C:
		push(evaluation, signed_left <= signed_right);
		return true;
	case 0x2D:
		push(evaluation, signed_left < signed_right);
		return true;
	}
	push(evaluation, left != right); /* 0x2E */
	return true;
}

static void step(struct evaluation *evaluation)
{
	uint8_t operation = (uint8_t)operand(evaluation, 1);
	uintptr_t value;
	if (operation >= 0x30 && operation <= 0x4F) { /* lit0 .. lit31 */
		push(evaluation, operation - 0x30u);
	} else if (operation >= 0x70 && operation <= 0x8F) { /* breg0 .. breg31 */
		push_register(evaluation, operation - 0x70u, leb(evaluation, true));
	} else if (operation == 0x92) { /* bregx */
		uint64_t number = leb(evaluation, false);
		push_register(evaluation, number, leb(evaluation, true));
	} else if (operation >= 0x08 && operation <= 0x11) {
		push(evaluation, constant(evaluation, operation));
	} else if (operation == 0x06) { /* deref */
		dereference(evaluation);
	} else if (operation == 0x12) { /* dup */
		value = pop(evaluation);
		push(evaluation, value);
		push(evaluation, value);
	} else if (operation == 0x13) { /* drop */
		pop(evaluation);
	} else if (operation == 0x23) { /* plus_uconst */
		value = pop(evaluation);
		push(evaluation, value + leb(evaluation, false));
	} else if (operation == 0x1F) { /* neg */
		push(evaluation, 0 - pop(evaluation));
	} else if (operation == 0x20) { /* not */
		push(evaluation, ~pop(evaluation));
	} else if (operation != 0x96 && !binary(evaluation, operation)) { /* nop, or unknown */
		evaluation->bad = true;
	}
}

bool cfi_evaluate(const uint8_t *expression, uint64_t length, const uintptr_t *registers, uint32_t known,
                  struct stack_memory *memory, bool push_cfa, uintptr_t cfa, uintptr_t *ret_value)
{
	struct evaluation evaluation;
	evaluation.at = expression;
	evaluation.end = expression + length;
	evaluation.depth = 0;
	evaluation.bad = false;
	evaluation.registers = registers;
	evaluation.known = known;
	evaluation.memory = memory;
	if (push_cfa)
		push(&evaluation, cfa);
	for (int steps = 0; evaluation.at < evaluation.end && steps < STEPS && !evaluation.bad; steps++)
		step(&evaluation);
	*ret_value = pop(&evaluation);
	return !evaluation.bad && evaluation.at == evaluation.end;
}
