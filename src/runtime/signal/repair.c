/* repair.c - the search for a frame by the call that made it. */
#include "runtime/signal/repair.h"

#include "runtime/signal/module_map.h"
#include "runtime/signal/rule_find.h"

#define SEARCH_BYTES ((uintptr_t)64 * 1024)
#define CALL_BYTES 7u /* the longest call that is looked at */
#define STUB_BYTES 12u
#define TAIL_CALL_BYTES 1024u /* of a function that may end in a jump */

/* ff /2: call *reg, call *(reg), call *disp(reg), call *disp(%rip), with an index or without. */
static bool is_indirect(const uint8_t *end)
{
	for (unsigned length = 2; length <= CALL_BYTES; length++) {
		const uint8_t *at = end - length;
		unsigned mode = at[1] >> 6, base = at[1] & 7, wanted;
		if (at[0] != 0xFF || (at[1] >> 3 & 7) != 2)
			continue;
		if (mode == 3)
			wanted = 2;
		else
			wanted = 2 + (base == 4 ? 1u : 0u) + (mode == 1 ? 1u : mode == 2 || base == 5 ? 4u : 0u);
		if (length == wanted)
			return true;
	}
	return false;
}

static int32_t displacement(const uint8_t *at)
{
	int32_t value;
	memcpy(&value, at, sizeof(value));
	return value;
}

/* A stub of a PLT, "endbr64; bnd jmp *slot(%rip)" with or without the first two: does its slot lead to the function? */
static __attribute__((noinline)) bool leads_to(uintptr_t stub, uintptr_t function)
{
	uint8_t code[STUB_BYTES];
	uintptr_t target;
	if (!module_map_has(stub) || !module_map_code(stub + sizeof(code), code, sizeof(code)))
		return false;
	static const uint8_t endbr64[] = { 0xF3, 0x0F, 0x1E, 0xFA };
	unsigned at = memcmp(code, endbr64, sizeof(endbr64)) == 0 ? 4 : 0;
	at += code[at] == 0xF2;
	if (code[at] != 0xFF || code[at + 1] != 0x25 || at + 6 > sizeof(code))
		return false;
	uintptr_t slot = stub + at + 6 + (uintptr_t)(intptr_t)displacement(code + at + 2);
	return module_map_code(slot + sizeof(target), &target, sizeof(target)) && target == function;
}

/* Does the code jump to `function`? */
static bool jumps_to(const uint8_t *code, size_t size, uintptr_t address, uintptr_t function)
{
	for (size_t i = 0; i + 2 <= size; i++) {
		if (code[i] == 0xEB && address + i + 2 + (uintptr_t)(intptr_t)(int8_t)code[i + 1] == function)
			return true;
		if (code[i] == 0xE9 && i + 5 <= size &&
		    address + i + 5 + (uintptr_t)(intptr_t)displacement(code + i + 1) == function)
			return true;
	}
	return false;
}

/* A function that may end in a tail call of `function`, and so leave it its own return address. Read by copies. */
static __attribute__((noinline)) bool tail_calls(uintptr_t caller, uintptr_t function)
{
	struct cfi_room room;
	struct cfi_row row;
	uint8_t code[TAIL_CALL_BYTES];
	if (!rule_find_row(caller, true, &room, &row) || row.function != caller)
		return false;
	uintptr_t size = row.function_end - caller;
	size = size < sizeof(code) ? size : sizeof(code);
	return module_map_code(caller + size, code, (uint32_t)size) && jumps_to(code, size, caller, function);
}

enum repair_call repair_call_before(uintptr_t return_address, uintptr_t *ret_target)
{
	uint8_t code[CALL_BYTES];
	if (!module_map_code(return_address, code, sizeof(code)))
		return REPAIR_NO_CALL;
	if (code[CALL_BYTES - 5] == 0xE8) { /* call rel32 */
		*ret_target = return_address + (uintptr_t)(intptr_t)displacement(code + CALL_BYTES - 4);
		return REPAIR_DIRECT;
	}
	return is_indirect(code + CALL_BYTES) ? REPAIR_INDIRECT : REPAIR_NO_CALL;
}

bool repair_find_bp(struct stack_memory *memory, uintptr_t sp, uintptr_t function, uintptr_t to_return,
                    uintptr_t *ret_bp)
{
	uintptr_t guess = 0, return_address, target;
	for (uintptr_t slot = sp; slot - sp < SEARCH_BYTES; slot += 8) {
		if (!stack_memory_word(memory, slot, &return_address))
			break;
		if (return_address < 4096 || !module_map_has(return_address - 1))
			continue;
		enum repair_call call = repair_call_before(return_address, &target);
		if (call == REPAIR_DIRECT &&
		    (target == function || leads_to(target, function) || tail_calls(target, function))) {
			*ret_bp = slot - to_return;
			return true;
		}
		if (call == REPAIR_INDIRECT && !guess)
			guess = slot - to_return;
	}
	*ret_bp = guess;
	return guess != 0;
}
