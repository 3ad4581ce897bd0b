/* Any bytes as .eh_frame_hdr and .eh_frame: a row is found or not, nothing outside the bytes is read, and nothing loops. What a row says
 * is then made a rule of, and applied to registers and a stack of any bytes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/shared/process.h"
#include "runtime/signal/cfi.h"
#include "runtime/signal/cfi_apply.h"
#include "runtime/signal/rule_cache.h"

#define TABLE_ENTRIES_TRIED 8u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void process_check_slow(void);

void process_check_slow(void)
{
}

/* Registers that point into the bytes, which are the stack as well. */
static void apply(const struct cfi_row *row, const uint8_t *bytes, size_t size)
{
	struct cfi_registers registers = { .known = (1u << CFI_REGISTERS) - 1 };
	struct stack_memory memory = { (uintptr_t)bytes, (uintptr_t)bytes + size, bytes, false };
	for (unsigned i = 0; i < CFI_REGISTERS; i++)
		registers.at[i] = (uintptr_t)bytes + i * 8;
	for (int frames = 0; frames < 3 && cfi_apply(row, &registers, &memory); frames++)
		if (!(registers.known >> CFI_RSP & 1) || !(registers.known >> CFI_RA & 1))
			abort();
}

/* In place, and by copies as for a module that may go away; with room enough both find the same. */
static void look_up(struct cfi_tables tables, uintptr_t address, const uint8_t *bytes, size_t size)
{
	struct cfi_row row, by_copies;
	struct cfi_room room;
	bool found = cfi_find(&tables, address, NULL, &row);
	tables.may_vanish = true;
	bool found_by_copies = cfi_find(&tables, address, &room, &by_copies);
	if (found_by_copies && !found)
		abort();
	if (!found)
		return;
	uint32_t rule = rule_of_row(&row, address);
	if (rule >> 30)
		abort();
	if (found_by_copies && (rule != rule_of_row(&by_copies, address) || row.function != by_copies.function))
		abort();
	apply(&row, bytes, size);
	if (found_by_copies)
		apply(&by_copies, bytes, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 16)
		return 0;
	/* A copy of its own, so that the sanitizer sees every byte too far. */
	uint8_t *bytes = malloc(size);
	memcpy(bytes, data, size);
	uintptr_t low = (uintptr_t)bytes;
	struct cfi_tables tables = { low, low + size, low, low + size, false };
	for (size_t at = 0; at < size; at += size / 8 + 1)
		look_up(tables, low + at, bytes, size);
	/* Where the table says that functions begin, and a little behind. */
	for (size_t i = 0; i < TABLE_ENTRIES_TRIED && 12 + (i + 1) * 8 <= size; i++) {
		int32_t distance;
		memcpy(&distance, bytes + 12 + i * 8, sizeof(distance));
		for (uintptr_t behind = 0; behind < 16; behind += 3)
			look_up(tables, low + (uintptr_t)(intptr_t)distance + behind, bytes, size);
	}
	free(bytes);
	return 0;
}
