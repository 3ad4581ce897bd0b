/* repair.c - the search for a frame by the call that made it. */
#include "runtime/signal/repair.h"

#include "runtime/shared/sys.h"
#include "runtime/signal/cfi.h"
#include "runtime/signal/module_map.h"

#define SEARCH_BYTES ((uintptr_t)64 * 1024)
#define CALL_BYTES 7u         /* the longest call that is looked at */
#define TAIL_CALL_BYTES 1024u /* of a function that may end in a jump */

enum call_kind { CALL_NONE, CALL_OTHER, CALL_THIS };

/* True if code between the two addresses jumps to `function`: a tail call, which leaves no frame of its own. */
static bool jumps_to(uintptr_t start, uintptr_t end, uintptr_t function)
{
	uint8_t code[TAIL_CALL_BYTES];
	size_t size = end - start < sizeof(code) ? end - start : sizeof(code);
	if (sys_copy_memory(code, (const void *)start, size) != (long)size)
		return false;
	for (size_t i = 0; i + 2 <= size; i++) {
		int32_t distance;
		if (code[i] == 0xEB && start + i + 2 + (uintptr_t)(intptr_t)(int8_t)code[i + 1] == function)
			return true;
		if (code[i] != 0xE9 || i + 5 > size)
			continue;
		memcpy(&distance, code + i + 1, sizeof(distance));
		if (start + i + 5 + (uintptr_t)(intptr_t)distance == function)
			return true;
	}
	return false;
}

/* A direct call: of this function, or of one that ends in a jump to it. Otherwise it is another's call, unless it goes into a PLT, which is
 * described as a whole and begins elsewhere. */
static enum call_kind classify_direct(uintptr_t target, uintptr_t function)
{
	struct cfi_tables tables;
	struct cfi_row row;
	if (target == function)
		return CALL_THIS;
	if (!module_map_find(target, &tables) || !cfi_find(&tables, target, &row) || row.function != target)
		return CALL_OTHER;
	return jumps_to(target, row.function_end, function) ? CALL_THIS : CALL_NONE;
}

/* What the bytes before a return address call. `code` ends there. */
static enum call_kind classify(const uint8_t *code, uintptr_t return_address, uintptr_t function)
{
	int32_t distance;
	if (code[CALL_BYTES - 5] == 0xE8) { /* call rel32 */
		memcpy(&distance, code + CALL_BYTES - 4, sizeof(distance));
		return classify_direct(return_address + (uintptr_t)(intptr_t)distance, function);
	}
	/* call *reg, call *disp8(reg), call *disp32(reg) or *disp(%rip): ff /2. */
	static const uint8_t lengths[] = { 2, 3, 4, 6, 7 };
	for (size_t i = 0; i < sizeof(lengths); i++) {
		const uint8_t *at = code + CALL_BYTES - lengths[i];
		if (*at == 0xFF && (at[1] >> 3 & 7) == 2)
			return CALL_OTHER;
	}
	return CALL_NONE;
}

static bool is_code(uintptr_t address)
{
	struct cfi_tables tables;
	return module_map_find(address, &tables);
}

bool repair_find_bp(struct stack_memory *memory, uintptr_t sp, uintptr_t function, uintptr_t *ret_bp)
{
	uintptr_t guess = 0, return_address, old_bp;
	for (uintptr_t slot = sp; slot < sp + SEARCH_BYTES; slot += 8) {
		if (!stack_memory_word(memory, slot + 8, &return_address))
			break;
		if (return_address < 4096 || !stack_memory_word(memory, slot, &old_bp) || !is_code(return_address - 1))
			continue;
		uint8_t code[CALL_BYTES];
		if (sys_copy_memory(code, (const void *)(return_address - CALL_BYTES), CALL_BYTES) != (long)CALL_BYTES)
			continue;
		enum call_kind kind = classify(code, return_address, function);
		if (kind == CALL_THIS) {
			*ret_bp = slot;
			return true;
		}
		/* A saved rbp of a caller points further up, or is none of a frame's at all. */
		if (kind == CALL_OTHER && !guess && (old_bp > slot || old_bp == 0))
			guess = slot;
	}
	*ret_bp = guess;
	return guess != 0;
}
