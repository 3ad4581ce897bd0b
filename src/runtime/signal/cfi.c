/* cfi.c - the binary search table, the entries, and the little programs of .eh_frame. */
#include "runtime/signal/cfi.h"

#include <stddef.h>
#include <string.h>

/* Pointer encodings (DW_EH_PE_*): the lower four bits say the form, the next three what it is relative to. */
#define FORM(encoding) ((encoding)&0x0F)
#define RELATION(encoding) ((encoding)&0x70)
#define PC_RELATIVE 0x10
#define DATA_RELATIVE 0x30
#define OMITTED 0xFF
#define INDIRECT 0x80

#define REMEMBERED_MAX 4
#define INSTRUCTIONS_MAX 4096

struct reader {
	const uint8_t *at, *end;
	bool bad;
};

static uint64_t read_bytes(struct reader *reader, size_t size)
{
	uint64_t value = 0;
	if ((size_t)(reader->end - reader->at) < size) {
		reader->bad = true;
		reader->at = reader->end;
		return 0;
	}
	memcpy(&value, reader->at, size);
	reader->at += size;
	return value;
}

static uint64_t read_uleb(struct reader *reader)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint64_t byte = read_bytes(reader, 1);
		value |= (byte & 0x7F) << shift;
		if (!(byte & 0x80))
			return value;
	}
	reader->bad = true;
	return 0;
}

static int64_t read_sleb(struct reader *reader)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 64;) {
		uint64_t byte = read_bytes(reader, 1);
		value |= (byte & 0x7F) << shift;
		shift += 7;
		if (!(byte & 0x80)) {
			if (byte & 0x40 && shift < 64)
				value |= ~(uint64_t)0 << shift;
			return (int64_t)value;
		}
	}
	reader->bad = true;
	return 0;
}

static uintptr_t read_encoded(struct reader *reader, uint8_t encoding, uintptr_t data_base)
{
	uintptr_t place = (uintptr_t)reader->at, value = 0;
	switch (FORM(encoding)) {
	case 0x00: /* absptr */
	case 0x04: /* udata8 */
	case 0x0C: /* sdata8 */
		value = read_bytes(reader, 8);
		break;
	case 0x01:
		value = read_uleb(reader);
		break;
	case 0x02:
		value = read_bytes(reader, 2);
		break;
	case 0x03:
		value = read_bytes(reader, 4);
		break;
	case 0x09:
		value = (uintptr_t)read_sleb(reader);
		break;
	case 0x0A:
		value = (uintptr_t)(int64_t)(int16_t)read_bytes(reader, 2);
		break;
	case 0x0B:
		value = (uintptr_t)(int64_t)(int32_t)read_bytes(reader, 4);
		break;
	default:
		reader->bad = true;
	}
	if (encoding & INDIRECT) {
		reader->bad = true; /* never for what we read: code addresses of this module */
		return 0;
	}
	if (RELATION(encoding) == PC_RELATIVE)
		return place + value;
	if (RELATION(encoding) == DATA_RELATIVE)
		return data_base + value;
	if (RELATION(encoding))
		reader->bad = true;
	return value;
}

/* --- the search table ---------------------------------------------------------------------------------------------- */

struct table_entry {
	int32_t address, fde; /* relative to the header */
};

/* The description that may cover the address, by the sorted table of .eh_frame_hdr; NULL. */
static const uint8_t *search(const struct cfi_tables *tables, uintptr_t address)
{
	struct reader reader = { tables->header, tables->high, false };
	if (tables->header < tables->low || tables->header >= tables->high)
		return NULL;
	uintptr_t base = (uintptr_t)tables->header;
	uint8_t version = (uint8_t)read_bytes(&reader, 1), frame_encoding = (uint8_t)read_bytes(&reader, 1);
	uint8_t count_encoding = (uint8_t)read_bytes(&reader, 1), table_encoding = (uint8_t)read_bytes(&reader, 1);
	/* Linkers write the table as signed 32-bit offsets from the header, or none at all. */
	if (version != 1 || count_encoding == OMITTED || table_encoding != (DATA_RELATIVE | 0x0B))
		return NULL;
	read_encoded(&reader, frame_encoding, base);
	size_t count = read_encoded(&reader, count_encoding, base);
	if (reader.bad || !count || count > (size_t)(reader.end - reader.at) / sizeof(struct table_entry))
		return NULL;
	const uint8_t *table = reader.at;
	struct table_entry entry;
	intptr_t wanted = (intptr_t)(address - base);
	size_t low = 0, high = count;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		memcpy(&entry, table + middle * sizeof(entry), sizeof(entry));
		if (entry.address <= wanted)
			low = middle;
		else
			high = middle;
	}
	memcpy(&entry, table + low * sizeof(entry), sizeof(entry));
	if (entry.address > wanted)
		return NULL;
	uintptr_t fde = base + (uintptr_t)(intptr_t)entry.fde;
	if (fde < (uintptr_t)tables->low || fde >= (uintptr_t)tables->high)
		return NULL;
	return tables->low + (fde - (uintptr_t)tables->low);
}

/* --- entries ------------------------------------------------------------------------------------------------------- */

struct cie {
	struct reader program;
	uint64_t code_alignment;
	int64_t data_alignment;
	uint8_t pointer_encoding;
	bool augmented; /* entries carry augmentation data */
	bool signal_frame;
};

/* The content of an entry: behind its length. False: not to be read. */
static bool open_entry(const struct cfi_tables *tables, const uint8_t *entry, struct reader *ret_reader)
{
	struct reader reader = { entry, tables->high, false };
	if (entry < tables->low || entry >= tables->high)
		return false;
	uint64_t length = read_bytes(&reader, 4);
	if (length == 0xFFFFFFFF)
		length = read_bytes(&reader, 8);
	if (reader.bad || !length || length > (uint64_t)(reader.end - reader.at))
		return false;
	reader.end = reader.at + length;
	*ret_reader = reader;
	return true;
}

static bool read_augmentation(struct reader *reader, const char *letters, struct cie *cie)
{
	if (*letters != 'z')
		return *letters == '\0';
	cie->augmented = true;
	uint64_t length = read_uleb(reader);
	if (reader->bad || length > (uint64_t)(reader->end - reader->at))
		return false;
	struct reader data = { reader->at, reader->at + length, false };
	reader->at += length;
	for (letters++; *letters; letters++) {
		if (*letters == 'R') {
			cie->pointer_encoding = (uint8_t)read_bytes(&data, 1);
		} else if (*letters == 'P') {
			uint8_t encoding = (uint8_t)read_bytes(&data, 1);
			read_encoded(&data, encoding & (uint8_t)~INDIRECT, 0);
		} else if (*letters == 'L') {
			read_bytes(&data, 1);
		} else if (*letters == 'S') {
			cie->signal_frame = true;
		} else if (*letters != 'B') {
			return true; /* unknown: what follows it is skipped by its length */
		}
	}
	return !data.bad;
}

static bool read_cie(const struct cfi_tables *tables, const uint8_t *entry, struct cie *cie)
{
	struct reader reader;
	if (!open_entry(tables, entry, &reader) || read_bytes(&reader, 4) != 0)
		return false;
	*cie = (struct cie){ 0 };
	uint64_t version = read_bytes(&reader, 1);
	const char *letters = (const char *)reader.at;
	const uint8_t *end = memchr(reader.at, 0, (size_t)(reader.end - reader.at));
	if (!end || (version != 1 && version != 3 && version != 4))
		return false;
	reader.at = end + 1;
	if (version == 4 && read_bytes(&reader, 2) != 8) /* address size 8, segment size 0 */
		return false;
	cie->code_alignment = read_uleb(&reader);
	cie->data_alignment = read_sleb(&reader);
	uint64_t return_register = version == 1 ? read_bytes(&reader, 1) : read_uleb(&reader);
	if (return_register != CFI_RA || !read_augmentation(&reader, letters, cie))
		return false;
	cie->program = reader;
	return !reader.bad;
}

/* --- programs ------------------------------------------------------------------------------------------------------ */

struct machine {
	struct cfi_row *row;
	const struct cie *cie;
	const struct cfi_rule *initial; /* what "restore" goes back to */
	uintptr_t location, wanted;
	struct cfi_row remembered[REMEMBERED_MAX];
	int remembered_count;
};

static void set_rule(struct machine *machine, uint64_t number, enum cfi_kind kind, int64_t offset)
{
	if (number < CFI_REGISTERS)
		machine->row->rules[number] = (struct cfi_rule){ .kind = (uint8_t)kind, .offset = offset };
}

static void set_expression(struct machine *machine, struct reader *program, uint64_t number, enum cfi_kind kind)
{
	uint64_t length = read_uleb(program);
	const uint8_t *start = program->at;
	if (program->bad || length > (uint64_t)(program->end - program->at)) {
		program->bad = true;
		return;
	}
	program->at += length;
	if (number < CFI_REGISTERS)
		machine->row->rules[number] = (struct cfi_rule){ (uint8_t)kind, (int64_t)length, start };
}

static int64_t factored(const struct machine *machine, int64_t offset)
{
	return (int64_t)((uint64_t)offset * (uint64_t)machine->cie->data_alignment);
}

static void set_cfa(struct machine *machine, uint64_t number, int64_t offset)
{
	machine->row->cfa_expression = NULL;
	machine->row->cfa_register = number < CFI_RA ? (uint8_t)number : CFI_REGISTERS;
	machine->row->cfa_offset = offset;
}

static void set_cfa_expression(struct machine *machine, struct reader *program)
{
	uint64_t length = read_uleb(program);
	machine->row->cfa_expression = program->at;
	machine->row->cfa_expression_length = length;
	if (program->bad || length > (uint64_t)(program->end - program->at)) {
		program->bad = true;
		return;
	}
	program->at += length;
}

static void remember(struct machine *machine, struct reader *program)
{
	if (machine->remembered_count == REMEMBERED_MAX)
		program->bad = true;
	else
		machine->remembered[machine->remembered_count++] = *machine->row;
}

static void recall(struct machine *machine, struct reader *program)
{
	if (!machine->remembered_count)
		program->bad = true;
	else
		*machine->row = machine->remembered[--machine->remembered_count];
}

static void restore_rule(struct machine *machine, uint64_t number)
{
	if (number < CFI_REGISTERS)
		machine->row->rules[number] =
				machine->initial ? machine->initial[number] : (struct cfi_rule){ .kind = CFI_SAME };
}

/* Operations with their operands in bytes of their own. False: one that we do not know. */
static bool run_extended(struct machine *machine, struct reader *program, uint8_t operation)
{
	uint64_t number;
	switch (operation) {
	case 0x00: /* nop */
		return true;
	case 0x01: /* set_loc */
		machine->location = read_encoded(program, machine->cie->pointer_encoding, 0);
		return true;
	case 0x02: /* advance_loc1, 2, 4 */
	case 0x03:
	case 0x04:
		machine->location += read_bytes(program, (size_t)1 << (operation - 2)) * machine->cie->code_alignment;
		return true;
	case 0x05: /* offset_extended */
		number = read_uleb(program);
		set_rule(machine, number, CFI_OFFSET, factored(machine, (int64_t)read_uleb(program)));
		return true;
	case 0x06: /* restore_extended */
		restore_rule(machine, read_uleb(program));
		return true;
	case 0x07:
		set_rule(machine, read_uleb(program), CFI_UNDEFINED, 0);
		return true;
	case 0x08:
		set_rule(machine, read_uleb(program), CFI_SAME, 0);
		return true;
	case 0x09: /* register */
		number = read_uleb(program);
		set_rule(machine, number, CFI_REGISTER, (int64_t)read_uleb(program));
		return true;
	case 0x0A:
		remember(machine, program);
		return true;
	case 0x0B:
		recall(machine, program);
		return true;
	case 0x0C: /* def_cfa */
		number = read_uleb(program);
		set_cfa(machine, number, (int64_t)read_uleb(program));
		return true;
	case 0x0D: /* def_cfa_register */
		set_cfa(machine, read_uleb(program), machine->row->cfa_offset);
		return true;
	case 0x0E: /* def_cfa_offset */
		machine->row->cfa_offset = (int64_t)read_uleb(program);
		return true;
	case 0x0F:
		set_cfa_expression(machine, program);
		return true;
	case 0x10:
		set_expression(machine, program, read_uleb(program), CFI_EXPRESSION);
		return true;
	case 0x11: /* offset_extended_sf */
		number = read_uleb(program);
		set_rule(machine, number, CFI_OFFSET, factored(machine, read_sleb(program)));
		return true;
	case 0x12: /* def_cfa_sf */
		number = read_uleb(program);
		set_cfa(machine, number, factored(machine, read_sleb(program)));
		return true;
	case 0x13: /* def_cfa_offset_sf */
		machine->row->cfa_offset = factored(machine, read_sleb(program));
		return true;
	case 0x14: /* val_offset */
		number = read_uleb(program);
		set_rule(machine, number, CFI_VAL_OFFSET, factored(machine, (int64_t)read_uleb(program)));
		return true;
	case 0x15: /* val_offset_sf */
		number = read_uleb(program);
		set_rule(machine, number, CFI_VAL_OFFSET, factored(machine, read_sleb(program)));
		return true;
	case 0x16:
		set_expression(machine, program, read_uleb(program), CFI_VAL_EXPRESSION);
		return true;
	case 0x2E: /* GNU_args_size */
		read_uleb(program);
		return true;
	case 0x2F: /* GNU_negative_offset_extended */
		number = read_uleb(program);
		set_rule(machine, number, CFI_OFFSET, factored(machine, -(int64_t)read_uleb(program)));
		return true;
	}
	return false;
}

/* Runs until the row that covers machine->wanted is complete. */
static bool run(struct machine *machine, struct reader program)
{
	for (int steps = 0; program.at < program.end && steps < INSTRUCTIONS_MAX; steps++) {
		uint8_t byte = (uint8_t)read_bytes(&program, 1), operand = byte & 0x3F;
		switch (byte >> 6) {
		case 1:
			machine->location += operand * machine->cie->code_alignment;
			break;
		case 2:
			set_rule(machine, operand, CFI_OFFSET, factored(machine, (int64_t)read_uleb(&program)));
			break;
		case 3:
			restore_rule(machine, operand);
			break;
		default:
			if (!run_extended(machine, &program, byte))
				return false;
		}
		if (program.bad)
			return false;
		if (machine->location > machine->wanted)
			return true;
	}
	return program.at == program.end;
}

/* Where a row goes on changing, the first instruction that moves behind `wanted` ends the run before anything of the next
 * row is applied, since the move itself changes no rule. */
bool cfi_find(const struct cfi_tables *tables, uintptr_t address, struct cfi_row *ret_row)
{
	const uint8_t *entry = search(tables, address);
	struct reader reader;
	struct cie cie;
	if (!entry || !open_entry(tables, entry, &reader))
		return false;
	const uint8_t *place = reader.at;
	uint64_t distance = read_bytes(&reader, 4);
	if (!distance || distance > (uint64_t)(place - tables->low) || !read_cie(tables, place - distance, &cie))
		return false;
	uintptr_t start = read_encoded(&reader, cie.pointer_encoding, 0);
	uintptr_t size = read_encoded(&reader, FORM(cie.pointer_encoding), 0);
	if (cie.augmented) {
		uint64_t length = read_uleb(&reader);
		if (length > (uint64_t)(reader.end - reader.at))
			return false;
		reader.at += length;
	}
	if (reader.bad || address - start >= size)
		return false;
	memset(ret_row, 0, sizeof(*ret_row));
	ret_row->function = start;
	ret_row->function_end = start + size;
	ret_row->signal_frame = cie.signal_frame;
	struct machine machine; /* `remembered` is not cleared: it is large, and this is on the path of every miss */
	machine.row = ret_row;
	machine.cie = &cie;
	machine.initial = NULL;
	machine.location = 0;
	machine.wanted = UINTPTR_MAX;
	machine.remembered_count = 0;
	if (!run(&machine, cie.program))
		return false;
	struct cfi_rule initial[CFI_REGISTERS];
	memcpy(initial, ret_row->rules, sizeof(initial));
	machine.initial = initial;
	machine.location = start;
	machine.wanted = address;
	machine.remembered_count = 0;
	return run(&machine, reader) && ret_row->cfa_register != CFI_REGISTERS;
}
