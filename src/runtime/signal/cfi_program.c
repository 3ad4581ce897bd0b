/* cfi_program.c - the call frame instructions (DWARF 5, section 6.4.2, and GNU's two). */
#include "runtime/signal/cfi_program.h"

#define REMEMBERED_MAX 3          /* compilers need one, rarely two */
#define INSTRUCTIONS_MAX 0x10000u /* of one entry; the longest of a compiler's have a few thousand */

/* What the instructions change: a row without what stays the same all over the entry. */
struct state {
	int32_t cfa_value;
	uint8_t cfa_register;
	struct cfi_rule rules[CFI_REGISTERS];
};

struct machine {
	struct state now;
	struct cfi_reader program;
	const struct cfi_cie *cie;
	const uint8_t *base;            /* of expressions */
	const struct cfi_rule *initial; /* what "restore" goes back to; NULL in the common program itself */
	uintptr_t location;
	uint32_t remembered_count;
	struct state remembered[REMEMBERED_MAX];
};

/* Values are kept as 32 bits; what does not fit occurs in no real stack. */
static int32_t narrow(struct machine *machine, int64_t value)
{
	if (value != (int32_t)value)
		machine->program.bad = true;
	return (int32_t)value;
}

static void set_rule(struct machine *machine, uint64_t number, enum cfi_kind kind, int64_t value)
{
	int32_t narrowed = narrow(machine, value);
	if (number < CFI_REGISTERS) /* the others are floating point and vector registers */
		machine->now.rules[number] = (struct cfi_rule){ narrowed, (uint8_t)kind };
}

/* Where the expression that follows lies, for cfi_expression(). */
static int32_t expression(struct machine *machine)
{
	uintptr_t distance = (uintptr_t)machine->program.at - (uintptr_t)machine->base;
	cfi_skip(&machine->program, cfi_uleb(&machine->program));
	return narrow(machine, (int64_t)distance);
}

static int64_t factored(const struct machine *machine, int64_t offset)
{
	return (int64_t)((uint64_t)offset * (uint64_t)machine->cie->data_alignment);
}

static void set_cfa(struct machine *machine, uint64_t number, int64_t offset)
{
	if (number >= CFI_RA) {
		machine->program.bad = true;
		return;
	}
	machine->now.cfa_register = (uint8_t)number;
	machine->now.cfa_value = narrow(machine, offset);
}

/* Changes of one half of "register + offset"; to an expression they must not be made. */
static void set_cfa_register(struct machine *machine, uint64_t number)
{
	if (machine->now.cfa_register == CFI_CFA_EXPRESSION)
		machine->program.bad = true;
	else
		set_cfa(machine, number, machine->now.cfa_value);
}

static void set_cfa_offset(struct machine *machine, int64_t offset)
{
	if (machine->now.cfa_register == CFI_CFA_EXPRESSION)
		machine->program.bad = true;
	else
		machine->now.cfa_value = narrow(machine, offset);
}

static void remember(struct machine *machine)
{
	if (machine->remembered_count == REMEMBERED_MAX)
		machine->program.bad = true;
	else
		machine->remembered[machine->remembered_count++] = machine->now;
}

static void recall(struct machine *machine)
{
	if (!machine->remembered_count)
		machine->program.bad = true;
	else
		machine->now = machine->remembered[--machine->remembered_count];
}

static void restore_rule(struct machine *machine, uint64_t number)
{
	if (number < CFI_REGISTERS)
		machine->now.rules[number] = machine->initial ? machine->initial[number] : (struct cfi_rule){ 0, CFI_SAME };
}

/* Instructions about the CFA, but for its expression. False: not one of them. */
static bool run_cfa(struct machine *machine, uint8_t operation)
{
	struct cfi_reader *program = &machine->program;
	uint64_t number;
	switch (operation) {
	case 0x0C: /* def_cfa */
		number = cfi_uleb(program);
		set_cfa(machine, number, (int64_t)cfi_uleb(program));
		return true;
	case 0x0D: /* def_cfa_register */
		set_cfa_register(machine, cfi_uleb(program));
		return true;
	case 0x0E: /* def_cfa_offset */
		set_cfa_offset(machine, (int64_t)cfi_uleb(program));
		return true;
	case 0x0F: /* def_cfa_expression */
		machine->now.cfa_register = CFI_CFA_EXPRESSION;
		machine->now.cfa_value = expression(machine);
		return true;
	case 0x12: /* def_cfa_sf */
		number = cfi_uleb(program);
		set_cfa(machine, number, factored(machine, cfi_sleb(program)));
		return true;
	case 0x13: /* def_cfa_offset_sf */
		set_cfa_offset(machine, factored(machine, cfi_sleb(program)));
		return true;
	}
	return false;
}

/* Instructions about one register, whose number comes first. False: not one of them. */
static bool run_register(struct machine *machine, uint8_t operation)
{
	struct cfi_reader *program = &machine->program;
	if (operation < 0x05 || (operation > 0x09 && operation < 0x10) || (operation > 0x16 && operation != 0x2F) ||
	    operation == 0x12 || operation == 0x13)
		return false;
	uint64_t number = cfi_uleb(program);
	switch (operation) {
	case 0x05: /* offset_extended */
		set_rule(machine, number, CFI_OFFSET, factored(machine, (int64_t)cfi_uleb(program)));
		break;
	case 0x06: /* restore_extended */
		restore_rule(machine, number);
		break;
	case 0x07:
		set_rule(machine, number, CFI_UNDEFINED, 0);
		break;
	case 0x08:
		set_rule(machine, number, CFI_SAME, 0);
		break;
	case 0x09: /* register */
		set_rule(machine, number, CFI_REGISTER, (int64_t)cfi_uleb(program));
		break;
	case 0x10:
		set_rule(machine, number, CFI_EXPRESSION, expression(machine));
		break;
	case 0x11: /* offset_extended_sf */
		set_rule(machine, number, CFI_OFFSET, factored(machine, cfi_sleb(program)));
		break;
	case 0x14: /* val_offset */
		set_rule(machine, number, CFI_VAL_OFFSET, factored(machine, (int64_t)cfi_uleb(program)));
		break;
	case 0x15: /* val_offset_sf */
		set_rule(machine, number, CFI_VAL_OFFSET, factored(machine, cfi_sleb(program)));
		break;
	case 0x16:
		set_rule(machine, number, CFI_VAL_EXPRESSION, expression(machine));
		break;
	case 0x2F: /* GNU_negative_offset_extended */
		set_rule(machine, number, CFI_OFFSET, factored(machine, (int64_t)(0 - cfi_uleb(program))));
		break;
	}
	return true;
}

/* Instructions whose operands are in bytes of their own. */
static void run_extended(struct machine *machine, uint8_t operation)
{
	struct cfi_reader *program = &machine->program;
	switch (operation) {
	case 0x00: /* nop */
		return;
	case 0x01: /* set_loc */
		machine->location = cfi_encoded(program, machine->cie->pointer_encoding, 0);
		return;
	case 0x02: /* advance_loc1, 2, 4 */
	case 0x03:
	case 0x04:
		machine->location += cfi_bytes(program, (size_t)1 << (operation - 2)) * machine->cie->code_alignment;
		return;
	case 0x0A: /* remember_state */
		remember(machine);
		return;
	case 0x0B: /* restore_state */
		recall(machine);
		return;
	case 0x2E: /* GNU_args_size */
		cfi_uleb(program);
		return;
	}
	if (!run_cfa(machine, operation) && !run_register(machine, operation))
		program->bad = true;
}

/* Runs until the row that covers `wanted` is complete: the first instruction that moves behind it ends the run before
 * anything of the next row is applied, since the move itself changes no rule. */
static bool run(struct machine *machine, uintptr_t wanted)
{
	struct cfi_reader *program = &machine->program;
	for (uint32_t count = 0; program->at < program->end; count++) {
		uint8_t byte = (uint8_t)cfi_bytes(program, 1), operand = byte & 0x3F;
		switch (byte >> 6) {
		case 1: /* advance_loc */
			machine->location += operand * machine->cie->code_alignment;
			break;
		case 2: /* offset */
			set_rule(machine, operand, CFI_OFFSET, factored(machine, (int64_t)cfi_uleb(program)));
			break;
		case 3: /* restore */
			restore_rule(machine, operand);
			break;
		default:
			run_extended(machine, byte);
		}
		if (program->bad || count == INSTRUCTIONS_MAX)
			return false;
		if (machine->location > wanted)
			return true;
	}
	return !program->cut;
}

bool cfi_run(const struct cfi_cie *cie, const struct cfi_reader *program, uintptr_t start, uintptr_t address,
             struct cfi_row *ret_row)
{
	struct machine machine; /* `remembered` is not cleared: this is on the path of every miss */
	memset(&machine.now, 0, sizeof(machine.now));
	machine.now.cfa_register = CFI_RA; /* none yet */
	machine.program = cie->program;
	machine.cie = cie;
	machine.base = ret_row->base;
	machine.initial = NULL;
	machine.location = 0;
	machine.remembered_count = 0;
	if (!run(&machine, UINTPTR_MAX))
		return false;
	struct cfi_rule initial[CFI_REGISTERS];
	memcpy(initial, machine.now.rules, sizeof(initial));
	machine.program = *program;
	machine.initial = initial;
	machine.location = start;
	machine.remembered_count = 0;
	if (!run(&machine, address) || machine.now.cfa_register == CFI_RA)
		return false;
	ret_row->cfa_register = machine.now.cfa_register;
	ret_row->cfa_value = machine.now.cfa_value;
	memcpy(ret_row->rules, machine.now.rules, sizeof(ret_row->rules));
	return true;
}
