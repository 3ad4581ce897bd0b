/* rule_cache.c - which rows fit into 30 bits. */
#include "runtime/signal/rule_cache.h"

#include <string.h>

#include "runtime/signal/cfi_reader.h"

#define OP_BREG_RBP 0x76 /* DW_OP_breg6 */
#define OP_BREG_RSP 0x77 /* DW_OP_breg7 */
#define OP_DEREF 0x06
#define OP_PLUS_UCONST 0x23
#define UCONTEXT_RSP 160 /* offsetof(ucontext_t, uc_mcontext.gregs[REG_RSP]), and of REG_RIP */
#define UCONTEXT_RIP 168

_Atomic uint64_t rule_cache[RULE_CACHE_WORDS];

static uint32_t encode(enum rule_kind kind, int64_t bp, int64_t offset)
{
	if (bp % 8 || offset % 8 || bp / 8 < -256 || bp / 8 > 255 || offset / 8 < -(1 << 17) || offset / 8 >= 1 << 17)
		return RULE_COMPLEX;
	return (uint32_t)kind | ((uint32_t)(bp / 8) & 0x1FF) << 3 | ((uint32_t)(offset / 8) & 0x3FFFF) << 12;
}

/* True: the expression is "register + offset", alone or with more operations behind, where ret_rest stands then. */
static bool is_register(const struct cfi_row *row, int32_t value, uint8_t operation, int64_t *ret_offset,
                        struct cfi_reader *ret_rest)
{
	size_t length;
	const uint8_t *code = cfi_expression(row, value, &length);
	*ret_rest = (struct cfi_reader){ code, code + length, 0, false, false };
	if (cfi_bytes(ret_rest, 1) != operation)
		return false;
	*ret_offset = cfi_sleb(ret_rest);
	return !ret_rest->bad;
}

static bool is_at(const struct cfi_row *row, int32_t value, uint8_t operation, int64_t offset)
{
	struct cfi_reader rest;
	int64_t found;
	return is_register(row, value, operation, &found, &rest) && found == offset && rest.at == rest.end;
}

/* The stubs of a PLT push one word after eleven (or so) of their sixteen bytes; one expression stands for all of them:
 * rsp + 8 + ((rip & 15) >= 11) * 8. */
static uint32_t rule_of_stub(struct cfi_reader rest, int64_t offset, uintptr_t address)
{
	static const uint8_t middle[] = { 0x80, 0x00, 0x3F, 0x1A }, end[] = { 0x2A, 0x33, 0x24, 0x22 };
	if (rest.end - rest.at != 9 || memcmp(rest.at, middle, 4) != 0 || memcmp(rest.at + 5, end, 4) != 0 ||
	    rest.at[4] < 0x30 || rest.at[4] > 0x3F)
		return RULE_COMPLEX;
	return encode(RULE_RSP, RULE_BP_SAME, offset + ((address & 15) >= rest.at[4] - 0x30u ? 8 : 0));
}

static uint32_t rule_of_signal(const struct cfi_row *row)
{
	const struct cfi_rule *ra = &row->rules[CFI_RA];
	struct cfi_reader rest;
	int64_t offset;
	bool is_glibc = row->cfa_register == CFI_CFA_EXPRESSION && ra->kind == CFI_EXPRESSION &&
	                is_register(row, row->cfa_value, OP_BREG_RSP, &offset, &rest) && offset == UCONTEXT_RSP &&
	                cfi_bytes(&rest, 1) == OP_DEREF && rest.at == rest.end &&
	                is_at(row, ra->value, OP_BREG_RSP, UCONTEXT_RIP);
	return is_glibc ? RULE_SIGNAL : RULE_COMPLEX;
}

/* `bp`: as encode() has it; only meaningful if is_plain. */
static uint32_t rule_of_expression(const struct cfi_row *row, bool is_plain, int64_t bp, uintptr_t address)
{
	const struct cfi_rule *saved = &row->rules[CFI_RBP];
	struct cfi_reader rest;
	int64_t offset;
	if (is_register(row, row->cfa_value, OP_BREG_RBP, &offset, &rest) && cfi_bytes(&rest, 1) == OP_DEREF &&
	    rest.at == rest.end && saved->kind == CFI_EXPRESSION && is_at(row, saved->value, OP_BREG_RBP, 0))
		return encode(RULE_AT_RBP, 0, offset);
	if (!is_plain || !is_register(row, row->cfa_value, OP_BREG_RSP, &offset, &rest))
		return RULE_COMPLEX;
	if (rest.end - rest.at == 3 && rest.at[0] == OP_DEREF && rest.at[1] == OP_PLUS_UCONST && rest.at[2] == 8)
		return encode(RULE_AT_RSP, bp, offset);
	return saved->kind == CFI_SAME ? rule_of_stub(rest, offset, address) : RULE_COMPLEX;
}

uint32_t rule_of_row(const struct cfi_row *row, uintptr_t address)
{
	const struct cfi_rule *ra = &row->rules[CFI_RA], *saved = &row->rules[CFI_RBP];
	if (ra->kind == CFI_UNDEFINED)
		return RULE_ROOT;
	if (row->signal_frame)
		return rule_of_signal(row);
	if (ra->kind != CFI_OFFSET || ra->value != -8 || row->rules[CFI_RSP].kind != CFI_SAME)
		return RULE_COMPLEX;
	bool is_plain = true;
	int64_t bp = RULE_BP_SAME;
	if (saved->kind == CFI_UNDEFINED)
		bp = RULE_BP_LOST * 8;
	else if (saved->kind == CFI_OFFSET && saved->value < 0)
		bp = saved->value;
	else
		is_plain = saved->kind == CFI_SAME;
	if (row->cfa_register == CFI_CFA_EXPRESSION)
		return rule_of_expression(row, is_plain, bp, address);
	if (!is_plain || (row->cfa_register != CFI_RSP && row->cfa_register != CFI_RBP))
		return RULE_COMPLEX;
	return encode(row->cfa_register == CFI_RSP ? RULE_RSP : RULE_RBP, bp, row->cfa_value);
}

void rule_cache_drop_late(void)
{
	for (uint32_t i = 0; i < RULE_CACHE_WORDS; i++)
		if (atomic_load_explicit(&rule_cache[i], memory_order_relaxed) & RULE_LATE)
			atomic_store_explicit(&rule_cache[i], 0, memory_order_relaxed);
}
