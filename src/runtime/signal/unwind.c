/* unwind.c - walks a stack: rules from the cache or from the tables, one frame after the other, to the root.
 *
 * What is walked is a live stack of this thread (hooks, handlers) or a copy of another's (dumps). See docs/unwinding.md.
 */
#include "runtime/signal/unwind.h"

#include <signal.h>
#include <stddef.h>

#include "runtime/shared/losses.h"
#include "runtime/signal/cfi.h"
#include "runtime/signal/cfi_expression.h"
#include "runtime/signal/module_map.h"
#include "runtime/signal/repair.h"
#include "runtime/signal/rule_cache.h"
#include "runtime/signal/stack_memory.h"

#define WALK_MAX (256u * 1024u)            /* frames that are walked at the most */
#define LEAF_KEPT 64u                      /* of a stack that is too deep */
#define ROOT_KEPT (FRAMES_MAX - LEAF_KEPT) /* the first of them gives way to the mark of the cut */

_Atomic uint64_t rule_cache[RULE_CACHE_WORDS];

/* Bounds of our own code, given by the linker (see src/runtime/one_object.ld). */
extern const char __start_cpprof_text[] __attribute__((weak, visibility("hidden")));
extern const char __stop_cpprof_text[] __attribute__((weak, visibility("hidden")));

struct walk {
	uintptr_t registers[CFI_REGISTERS];
	uint32_t known; /* by bit */
	bool exact;     /* the pc is that of an instruction, not a return address */
	bool dropped;   /* a short rule has lost registers that a full row would have kept */
	bool full;      /* use no short rules: every register counts */
	bool may_repair;
	struct stack_memory memory;
};

enum step_result { STEP_ON, STEP_ROOT, STEP_STUCK, STEP_AGAIN_FULL };

#define KNOWS(walk, number) ((walk)->known >> (number)&1)

static void set_register(struct walk *walk, unsigned number, uintptr_t value)
{
	walk->registers[number] = value;
	walk->known |= 1u << number;
}

static uintptr_t lookup_address(const struct walk *walk)
{
	return walk->registers[CFI_RA] - !walk->exact;
}

/* --- frames as they come ------------------------------------------------------------------------------------------- */

struct collector {
	struct frames *frames;
	uint32_t total;
	uintptr_t ring[ROOT_KEPT];
};

static void collect(struct collector *collector, uintptr_t frame)
{
	uint32_t at = collector->total++;
	if (at < LEAF_KEPT)
		collector->frames->at[at] = frame;
	else
		collector->ring[(at - LEAF_KEPT) % ROOT_KEPT] = frame;
}

/* Puts leaf part, cut and root part together. `failed`: the root was not reached. */
static void finish(struct collector *collector, bool failed)
{
	struct frames *frames = collector->frames;
	if (failed)
		collect(collector, PSEUDO_UNWIND_FAILED);
	uint32_t total = collector->total, beyond = total > LEAF_KEPT ? total - LEAF_KEPT : 0;
	uint32_t count = total - beyond;
	frames->failed = failed;
	frames->cut = beyond > ROOT_KEPT;
	for (uint32_t i = frames->cut ? beyond - ROOT_KEPT : 0; i < beyond; i++)
		frames->at[count++] = collector->ring[i % ROOT_KEPT];
	if (frames->cut) {
		frames->at[LEAF_KEPT] = PSEUDO_TRUNCATED;
		loss_count(LOSS_STACK_CUT);
	}
	frames->count = count;
}

/* --- rules --------------------------------------------------------------------------------------------------------- */

static bool short_rule_of(const struct cfi_row *row, struct short_rule *ret_rule)
{
	const struct cfi_rule *ra = &row->rules[CFI_RA], *bp = &row->rules[CFI_RBP];
	if (ra->kind == CFI_UNDEFINED) {
		*ret_rule = (struct short_rule){ SHORT_ROOT, 0, 0 };
		return true;
	}
	if (row->signal_frame || row->cfa_expression || ra->kind != CFI_OFFSET || ra->offset != -8)
		return false;
	if ((row->cfa_register != CFI_RSP && row->cfa_register != CFI_RBP) || row->rules[CFI_RSP].kind != CFI_SAME)
		return false;
	if (row->cfa_offset < 0 || row->cfa_offset % 8 || row->cfa_offset / 8 > SHORT_CFA_UNITS_MAX)
		return false;
	uint32_t below = 0;
	if (bp->kind == CFI_OFFSET) {
		if (bp->offset >= 0 || bp->offset % 8 || -bp->offset / 8 > SHORT_BP_UNITS_MAX)
			return false;
		below = (uint32_t)-bp->offset;
	} else if (bp->kind != CFI_SAME) {
		return false;
	}
	uint8_t kind = row->cfa_register == CFI_RSP ? SHORT_RSP : SHORT_RBP;
	*ret_rule = (struct short_rule){ kind, (uint32_t)row->cfa_offset, below };
	return true;
}

/* The rule for an address that the cache does not have; the row too. False: no module, or no description. */
static bool find_row(uintptr_t address, struct cfi_row *ret_row)
{
	struct cfi_tables tables;
	return module_map_find(address, &tables) && cfi_find(&tables, address, ret_row);
}

static void keep_rule(uintptr_t address, const struct short_rule *rule)
{
	if (address >> 47 == 0 && module_map_stays(address))
		rule_cache_put(address, rule);
}

/* --- one frame ----------------------------------------------------------------------------------------------------- */

/* To the caller: its pc and sp. The stack of a caller lies above, except behind a signal frame. */
static enum step_result enter_caller(struct walk *walk, uintptr_t pc, uintptr_t sp, bool signal_frame)
{
	if (!signal_frame && sp <= walk->registers[CFI_RSP])
		return STEP_STUCK;
	if (pc < PSEUDO_LIMIT)
		return pc == 0 ? STEP_ROOT : STEP_STUCK;
	set_register(walk, CFI_RSP, sp);
	set_register(walk, CFI_RA, pc);
	walk->exact = signal_frame;
	return STEP_ON;
}

static enum step_result step_short(struct walk *walk, const struct short_rule *rule)
{
	if (rule->kind == SHORT_ROOT)
		return STEP_ROOT;
	uintptr_t cfa = walk->registers[rule->kind == SHORT_RSP ? CFI_RSP : CFI_RBP] + rule->cfa_offset, pc, bp;
	if (!stack_memory_word(&walk->memory, cfa - 8, &pc))
		return STEP_STUCK;
	if (rule->bp_below) {
		if (!stack_memory_word(&walk->memory, cfa - rule->bp_below, &bp))
			return STEP_STUCK;
		set_register(walk, CFI_RBP, bp);
	}
	/* Which of the others this frame has saved is not in a short rule. */
	walk->known &= 1u << CFI_RSP | 1u << CFI_RBP | 1u << CFI_RA;
	walk->dropped = true;
	return enter_caller(walk, pc, cfa, false);
}

static bool apply_rule(struct walk *walk, const struct walk *before, unsigned number, const struct cfi_rule *rule,
                       uintptr_t cfa)
{
	uintptr_t value = 0;
	bool found = true;
	switch (rule->kind) {
	case CFI_SAME:
		return true;
	case CFI_OFFSET:
		found = stack_memory_word(&walk->memory, cfa + (uintptr_t)rule->offset, &value);
		break;
	case CFI_VAL_OFFSET:
		value = cfa + (uintptr_t)rule->offset;
		break;
	case CFI_REGISTER:
		found = rule->offset >= 0 && rule->offset < CFI_REGISTERS && KNOWS(before, rule->offset);
		if (found)
			value = before->registers[rule->offset];
		break;
	case CFI_EXPRESSION:
	case CFI_VAL_EXPRESSION:
		found = cfi_evaluate(rule->expression, (uint64_t)rule->offset, before->registers, before->known, &walk->memory,
		                     true, cfa, &value);
		if (found && rule->kind == CFI_EXPRESSION)
			found = stack_memory_word(&walk->memory, value, &value);
		break;
	default: /* undefined */
		found = false;
	}
	if (found)
		set_register(walk, number, value);
	else
		walk->known &= ~(1u << number);
	return found;
}

static bool find_cfa(struct walk *walk, const struct cfi_row *row, uintptr_t *ret_cfa)
{
	if (row->cfa_expression)
		return cfi_evaluate(row->cfa_expression, row->cfa_expression_length, walk->registers, walk->known,
		                    &walk->memory, false, 0, ret_cfa);
	if (!KNOWS(walk, row->cfa_register))
		return false;
	*ret_cfa = walk->registers[row->cfa_register] + (uintptr_t)row->cfa_offset;
	return true;
}

static enum step_result step_row(struct walk *walk, const struct cfi_row *row)
{
	if (row->rules[CFI_RA].kind == CFI_UNDEFINED)
		return STEP_ROOT;
	uintptr_t cfa;
	if (!find_cfa(walk, row, &cfa))
		return walk->dropped && !walk->full ? STEP_AGAIN_FULL : STEP_STUCK;
	/* Those that a call does not preserve are the interrupted function's own: below a signal frame they are all known again. */
	struct walk before = *walk;
	set_register(walk, CFI_RSP, cfa);
	for (unsigned number = 0; number < CFI_RA; number++)
		apply_rule(walk, &before, number, &row->rules[number], cfa);
	if (row->rules[CFI_RA].kind == CFI_SAME || !apply_rule(walk, &before, CFI_RA, &row->rules[CFI_RA], cfa))
		return STEP_STUCK;
	uintptr_t pc = walk->registers[CFI_RA], sp = walk->registers[CFI_RSP];
	walk->registers[CFI_RSP] = before.registers[CFI_RSP];
	return enter_caller(walk, pc, sp, row->signal_frame);
}

/* True if the bytes in front of the address are a call: what a return address follows. Code of a just-in-time compiler is in no
 * module, and may be anywhere. */
static bool follows_call(uintptr_t address)
{
	uint8_t code[8];
	if (address < 4096 || address >> 47 || !stack_memory_is_readable(address - sizeof(code)) ||
	    !stack_memory_is_readable(address - 1))
		return false;
	memcpy(code, (const void *)(address - sizeof(code)), sizeof(code));
	if (code[3] == 0xE8)
		return true;
	/* call *register, *offset(register), *offset(%rip): ff /2, with and without a prefix. */
	for (unsigned length = 2; length <= 7; length++)
		if (code[8 - length] == 0xFF && (code[9 - length] >> 3 & 7) == 2)
			return true;
	return false;
}

/* No description: code of a just-in-time compiler, or assembly. If it keeps frame pointers they lead on. */
static enum step_result step_frame_pointer(struct walk *walk)
{
	uintptr_t bp = walk->registers[CFI_RBP], caller_bp, pc;
	struct cfi_tables tables;
	if (!KNOWS(walk, CFI_RBP) || bp % 8 || bp < walk->registers[CFI_RSP] ||
	    !stack_memory_word(&walk->memory, bp, &caller_bp) || !stack_memory_word(&walk->memory, bp + 8, &pc) ||
	    (!module_map_find(pc - 1, &tables) && !follows_call(pc)))
		return STEP_STUCK;
	set_register(walk, CFI_RBP, caller_bp);
	walk->known &= 1u << CFI_RSP | 1u << CFI_RBP | 1u << CFI_RA;
	walk->dropped = true;
	return enter_caller(walk, pc, bp + 16, false);
}

/* rbp is wanted and nobody saved it: it is looked for on the stack. */
static bool repair(struct walk *walk, const struct cfi_row *row)
{
	uintptr_t bp;
	if (!walk->may_repair || row->cfa_register != CFI_RBP || KNOWS(walk, CFI_RBP) ||
	    !repair_find_bp(&walk->memory, walk->registers[CFI_RSP], row->function, &bp))
		return false;
	set_register(walk, CFI_RBP, bp);
	return true;
}

static __attribute__((noinline)) enum step_result step_slow(struct walk *walk, uintptr_t address)
{
	struct cfi_row row;
	struct short_rule rule;
	if (!find_row(address, &row)) {
		/* A return address that is a function's first was put there by hand, as makecontext does: nobody called, this is the root. */
		bool made_by_hand = !walk->exact && find_row(address + 1, &row) && row.function == address + 1;
		return made_by_hand ? STEP_ROOT : step_frame_pointer(walk);
	}
	bool lacks_register = !row.cfa_expression && !KNOWS(walk, row.cfa_register);
	if (lacks_register && row.cfa_register == CFI_RBP)
		lacks_register = !repair(walk, &row);
	if (short_rule_of(&row, &rule)) {
		keep_rule(address, &rule);
		if (!walk->full && (rule.kind != SHORT_RBP || KNOWS(walk, CFI_RBP)))
			return step_short(walk, &rule);
	}
	/* Short rules carry rbp as well as full rows do. */
	if (lacks_register && row.cfa_register != CFI_RBP && walk->dropped && !walk->full)
		return STEP_AGAIN_FULL;
	return step_row(walk, &row);
}

/* --- walks --------------------------------------------------------------------------------------------------------- */

/* Frames whose short rules are in the cache, one after the other, with everything in registers: nearly all of a warm stack. Stops
 * in front of the first frame that needs more. */
static enum step_result walk_cached(struct walk *walk, struct collector *collector)
{
	uintptr_t pc = walk->registers[CFI_RA], sp = walk->registers[CFI_RSP], bp = walk->registers[CFI_RBP];
	uintptr_t low = walk->memory.low, last = walk->memory.high - sizeof(uintptr_t);
	uintptr_t shift = walk->memory.bytes ? (uintptr_t)walk->memory.bytes - low : 0;
	bool bp_known = KNOWS(walk, CFI_RBP);
	uintptr_t address = pc - !walk->exact;
	enum step_result result = STEP_ON;
	struct short_rule rule;
	bool moved = false;
	while (collector->total < WALK_MAX && rule_cache_get(address, &rule)) {
		if (rule.kind == SHORT_ROOT) {
			result = STEP_ROOT;
			break;
		}
		uintptr_t cfa = rule.kind == SHORT_RSP ? sp : bp;
		if (rule.kind == SHORT_RBP && !bp_known)
			break;
		cfa += rule.cfa_offset;
		uintptr_t at_bp = cfa - rule.bp_below, new_pc;
		/* All that is read lies in what is known to be there, and the stack goes up. */
		if (cfa - 8 > last || at_bp < low || cfa <= sp)
			break;
		memcpy(&new_pc, (const void *)(cfa - 8 + shift), sizeof(new_pc));
		if (new_pc < PSEUDO_LIMIT)
			break;
		if (rule.bp_below) {
			memcpy(&bp, (const void *)(at_bp + shift), sizeof(bp));
			bp_known = true;
		}
		sp = cfa;
		pc = new_pc;
		address = pc - 1;
		moved = true;
		collect(collector, address);
	}
	if (!moved)
		return result;
	walk->known = 1u << CFI_RSP | 1u << CFI_RA | (uint32_t)bp_known << CFI_RBP;
	walk->registers[CFI_RA] = pc;
	walk->registers[CFI_RSP] = sp;
	walk->registers[CFI_RBP] = bp;
	walk->exact = false;
	walk->dropped = true;
	return result;
}

static enum step_result walk_all(struct walk *walk, bool skip_own, struct collector *collector)
{
	for (;;) {
		uintptr_t address = lookup_address(walk);
		/* Our own frames lie at the leaf: as long as none but those was met, none is kept. */
		if (skip_own && collector->total && unwind_is_own(collector->frames->at[0]))
			collector->total = 0;
		if (collector->total >= WALK_MAX)
			return STEP_STUCK;
		collect(collector, address);
		enum step_result result =
				walk->full || (skip_own && unwind_is_own(address)) ? STEP_ON : walk_cached(walk, collector);
		if (result == STEP_ON)
			result = step_slow(walk, lookup_address(walk));
		if (result != STEP_ON)
			return result;
	}
}

/* The whole of it: with short rules, and if a frame needs a register that these do not carry, once more with full rows. */
static enum unwind_end walk_twice(const struct walk *start, bool skip_own, struct frames *ret_frames)
{
	for (int full = 0; full < 2; full++) {
		struct walk walk = *start;
		struct collector collector;
		collector.frames = ret_frames;
		collector.total = 0;
		walk.full = full;
		enum step_result result = walk_all(&walk, skip_own, &collector);
		if (result == STEP_AGAIN_FULL && !full)
			continue;
		bool complete = result == STEP_ROOT || stack_memory_is_root(walk.registers[CFI_RSP]);
		if (!complete && walk.memory.ended)
			return UNWIND_NEEDS_MORE;
		finish(&collector, !complete);
		if (!complete)
			loss_count(LOSS_UNWIND_FAILED);
		return complete ? UNWIND_COMPLETE : UNWIND_STUCK;
	}
	return UNWIND_STUCK;
}

static void start_walk(struct walk *walk, const struct unwind_registers *from)
{
	walk->known = (from->known & UNWIND_ALL_CALLEE_SAVED) | 1u << CFI_RSP | 1u << CFI_RA;
	walk->exact = true;
	walk->dropped = walk->full = walk->may_repair = false;
	walk->registers[CFI_RA] = from->pc;
	walk->registers[CFI_RSP] = from->sp;
	walk->registers[CFI_RBP] = from->bp;
	walk->registers[CFI_RBX] = from->bx;
	walk->registers[CFI_R12] = from->r12;
	walk->registers[CFI_R13] = from->r13;
	walk->registers[CFI_R14] = from->r14;
	walk->registers[CFI_R15] = from->r15;
}

void unwind_self(const struct unwind_registers *registers, bool skip_own, struct frames *ret_frames)
{
	struct walk walk;
	start_walk(&walk, registers);
	stack_memory_live(&walk.memory, registers->sp);
	(void)walk_twice(&walk, skip_own, ret_frames);
}

void unwind_context(const ucontext_t *context, struct frames *ret_frames)
{
	/* DWARF's order of registers in the kernel's. */
	static const uint8_t order[CFI_REGISTERS] = { REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
		                                          REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
		                                          REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP };
	struct walk walk;
	walk.known = (1u << CFI_REGISTERS) - 1;
	walk.exact = true;
	walk.dropped = walk.full = walk.may_repair = false;
	for (unsigned number = 0; number < CFI_REGISTERS; number++)
		walk.registers[number] = (uintptr_t)context->uc_mcontext.gregs[order[number]];
	stack_memory_live(&walk.memory, walk.registers[CFI_RSP]);
	(void)walk_twice(&walk, false, ret_frames);
}

enum unwind_end unwind_copied(const struct unwind_registers *registers, const struct unwind_copy *copy,
                              struct frames *ret_frames)
{
	struct walk walk;
	start_walk(&walk, registers);
	walk.may_repair = true;
	walk.memory = (struct stack_memory){ copy->low, copy->low + copy->size, copy->bytes, false };
	return walk_twice(&walk, false, ret_frames);
}

void unwind_prefetch(const uintptr_t *frames, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct short_rule rule;
		struct cfi_row row;
		if (frames[i] < PSEUDO_LIMIT || rule_cache_get(frames[i], &rule))
			continue;
		if (find_row(frames[i], &row) && short_rule_of(&row, &rule))
			keep_rule(frames[i], &rule);
	}
}

bool unwind_is_own(uintptr_t address)
{
	return address - (uintptr_t)__start_cpprof_text < (uintptr_t)(__stop_cpprof_text - __start_cpprof_text);
}

void unwind_init(void)
{
	module_map_init();
}

uint64_t unwind_bytes(void)
{
	return sizeof(rule_cache);
}
