/* unwind.c - walks a stack: one frame after the other, to the root.
 *
 * What is walked is a live stack of this thread (hooks, handlers) or a copy of another's (dumps). Rules carry pc, sp and
 * rbp. A frame that needs another register is rare: then the frames since all were known are walked once more with all
 * of them. See docs/unwinding.md.
 */
#include "runtime/signal/unwind.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>

#include "runtime/shared/losses.h"
#include "runtime/shared/tls.h"
#include "runtime/signal/cfi_apply.h"
#include "runtime/signal/module_map.h"
#include "runtime/signal/repair.h"
#include "runtime/signal/rule_cache.h"
#include "runtime/signal/rule_find.h"
#include "runtime/signal/stack_memory.h"

#define WALK_MAX (256u * 1024u)     /* frames that are walked at the most */
#define AGAIN_MAX 4096u             /* of them with all registers, to find one */
#define LEAF_KEPT (FRAMES_MAX / 2)  /* of a stack that is too deep */
#define RING_BEGIN (LEAF_KEPT + 1u) /* where its root part is kept, round and round */
#define RING (FRAMES_MAX - RING_BEGIN)
#define LEAF_SEARCH_BYTES 256u  /* above sp, for the return address of a leaf that is not described */
#define LEAF_CODE_BYTES 0x4000u /* of such a leaf, at the most */
#define STACK_ROOM 4096u        /* that unwinding wants */
#define STACK_SWITCHES_MAX 16u  /* without a signal in between: split stacks, code by hand */

/* Bounds of our own code, given by the linker (see src/runtime/one_object.ld); where they are missing nothing is ours. */
extern const char __start_cpprof_text[] __attribute__((weak, visibility("hidden")));
extern const char __stop_cpprof_text[] __attribute__((weak, visibility("hidden")));

struct walk {
	uintptr_t pc, sp, bp;
	bool bp_known;
	bool exact;      /* the pc is that of an instruction, not a return address */
	bool skip_own;   /* nothing but frames of our own so far */
	bool may_vanish; /* the code may be unloaded while we look: another thread's stack */
	uint8_t switches;
	uint32_t total; /* frames told so far */
	struct frames *frames;
	struct stack_memory memory;
	/* Where all registers were known last, and how many frames have been left since. */
	struct cfi_registers known_at;
	bool known_exact;
	uint32_t since;
};

enum step { STEP_ON, STEP_ROOT, STEP_STUCK };

static uintptr_t lookup_address(const struct walk *walk)
{
	return walk->pc - !walk->exact;
}

/* --- frames as they come ------------------------------------------------------------------------------------------ */

/* What does not fit goes round in the second half, so that in the end its last frames are there. */
static uint32_t frame_slot(uint32_t index)
{
	return index < FRAMES_MAX ? index : RING_BEGIN + (index - RING_BEGIN) % RING;
}

static void put_frame(struct walk *walk, uintptr_t frame)
{
	walk->frames->at[frame_slot(walk->total++)] = frame;
}

static void reverse(uintptr_t *first, uintptr_t *end)
{
	while (first + 1 < end) {
		uintptr_t kept = *first;
		*first++ = *--end;
		*end = kept;
	}
}

static void finish(struct walk *walk, bool failed)
{
	struct frames *frames = walk->frames;
	if (failed)
		put_frame(walk, PSEUDO_UNWIND_FAILED);
	else if (!walk->total)
		put_frame(walk, PSEUDO_UNKNOWN);
	frames->failed = failed;
	frames->cut = walk->total > FRAMES_MAX;
	frames->count = frames->cut ? FRAMES_MAX : walk->total;
	if (!frames->cut)
		return;
	frames->at[LEAF_KEPT] = PSEUDO_TRUNCATED;
	/* The oldest of the ring to its beginning. */
	uintptr_t *ring = frames->at + RING_BEGIN, *oldest = frames->at + frame_slot(walk->total);
	reverse(ring, oldest);
	reverse(oldest, ring + RING);
	reverse(ring, ring + RING);
	loss_count(LOSS_STACK_CUT);
}

/* --- the common case ---------------------------------------------------------------------------------------------- */

/* Frames whose rules are in the cache, one after the other, with everything in registers: nearly all of a warm stack.
 * Stops in front of the first frame that needs more. */
static enum step run_cached(struct walk *walk)
{
	uintptr_t sp = walk->sp, bp = walk->bp, pc = walk->pc, low = walk->memory.low, address = lookup_address(walk);
	uintptr_t size = walk->memory.high - low, moved = walk->memory.bytes ? (uintptr_t)walk->memory.bytes - low : 0;
	uint32_t total = walk->total;
	bool bp_known = walk->bp_known;
	enum step step = STEP_ON;
	uint64_t word;
	if (walk->skip_own || size < sizeof(uintptr_t))
		return STEP_ON;
	size -= sizeof(uintptr_t);
	while (total < WALK_MAX && rule_cache_get(address, &word) && !(word & RULE_LATE)) {
		uint32_t rule = (uint32_t)word;
		enum rule_kind kind = rule_kind(rule);
		if (kind == RULE_ROOT) {
			walk->frames->at[frame_slot(total++)] = address;
			step = STEP_ROOT;
			break;
		}
		if (kind != RULE_RSP && (kind != RULE_RBP || !bp_known))
			break;
		uintptr_t cfa = (kind == RULE_RSP ? sp : bp) + (uintptr_t)rule_offset(rule);
		intptr_t saved = rule_bp(rule);
		uintptr_t at_pc = cfa - 8 - low, at_bp = cfa + (uintptr_t)saved * 8 - low;
		/* All that is read lies in what is known to be there, and the stack goes up. */
		if (at_pc > size || cfa <= sp || cfa % 8 || (saved < 0 && at_bp > size))
			break;
		memcpy(&pc, (const unsigned char *)(low + at_pc + moved), sizeof(pc));
		if (pc < PSEUDO_LIMIT)
			break;
		if (saved < 0)
			memcpy(&bp, (const unsigned char *)(low + at_bp + moved), sizeof(bp));
		bp_known = saved < 0 || (bp_known && saved == RULE_BP_SAME);
		walk->frames->at[frame_slot(total++)] = address;
		sp = cfa;
		address = pc - 1;
	}
	if (total == walk->total)
		return STEP_ON;
	walk->since += total - walk->total;
	walk->total = total;
	if (step == STEP_ROOT)
		return STEP_ROOT;
	walk->pc = address + 1;
	walk->sp = sp;
	walk->bp = bp;
	walk->bp_known = bp_known;
	walk->exact = false;
	return STEP_ON;
}

/* --- one frame ---------------------------------------------------------------------------------------------------- */

/* To the caller. Its stack lies above, unless the stack itself is another one: behind a signal, or now and then without. */
static enum step enter(struct walk *walk, uintptr_t pc, uintptr_t sp, bool exact)
{
	if (sp % 8 && !exact)
		return STEP_STUCK;
	if (sp <= walk->sp && !exact) {
		/* Reading there has moved what is known to be mapped away from the old one. */
		bool elsewhere = walk->sp < walk->memory.low || walk->sp >= walk->memory.high;
		if (!elsewhere || walk->memory.bytes || walk->switches++ == STACK_SWITCHES_MAX)
			return STEP_STUCK;
	}
	if (pc < PSEUDO_LIMIT && !exact)
		return pc == 0 ? STEP_ROOT : STEP_STUCK;
	walk->pc = pc;
	walk->sp = sp;
	walk->exact = exact;
	walk->since++;
	return STEP_ON;
}

/* From here on only these are known, and were so last. */
static void know_only_bp(struct walk *walk, uintptr_t bp)
{
	walk->bp = bp;
	walk->bp_known = true;
	walk->known_at.at[CFI_RA] = walk->pc;
	walk->known_at.at[CFI_RSP] = walk->sp;
	walk->known_at.at[CFI_RBP] = bp;
	walk->known_at.known = 1u << CFI_RA | 1u << CFI_RSP | 1u << CFI_RBP;
	walk->known_exact = walk->exact;
	walk->since = 0;
}

/* rbp is wanted and nobody saved it: the stack is searched for what it must be. Only copied stacks begin without. */
static bool repair(struct walk *walk, uintptr_t to_return)
{
	uintptr_t bp, function = walk->memory.bytes ? rule_find_function(lookup_address(walk), true) : 0;
	if (!function || !repair_find_bp(&walk->memory, walk->sp, function, to_return, &bp))
		return false;
	know_only_bp(walk, bp);
	return true;
}

static enum step step_simple(struct walk *walk, uint32_t rule)
{
	enum rule_kind kind = rule_kind(rule);
	uintptr_t offset = (uintptr_t)rule_offset(rule), cfa, pc, bp = walk->bp, bp_base;
	bool by_bp = kind == RULE_RBP || kind == RULE_AT_RBP;
	if (by_bp && !walk->bp_known && !repair(walk, kind == RULE_RBP ? offset - 8 : 8))
		return STEP_STUCK;
	cfa = (by_bp ? walk->bp : walk->sp) + offset;
	if ((kind == RULE_AT_RBP || kind == RULE_AT_RSP) && !stack_memory_word(&walk->memory, cfa, &cfa))
		return STEP_STUCK;
	if (kind == RULE_AT_RSP)
		cfa += 8;
	if (!stack_memory_word(&walk->memory, cfa - 8, &pc))
		return STEP_STUCK;
	intptr_t saved = rule_bp(rule);
	bp_base = kind == RULE_AT_RBP ? walk->bp : cfa;
	if (saved < 0 || kind == RULE_AT_RBP) {
		if (!stack_memory_word(&walk->memory, bp_base + (uintptr_t)saved * 8, &bp))
			return STEP_STUCK;
		walk->bp_known = true;
	} else if (saved == RULE_BP_LOST) {
		walk->bp_known = false;
	}
	enum step step = enter(walk, pc, cfa, false);
	walk->bp = bp;
	return step;
}

/* All registers are known again: those of a signal's context, or as a row has left them. */
static enum step enter_known(struct walk *walk, const struct cfi_registers *registers, bool exact)
{
	enum step step = enter(walk, registers->at[CFI_RA], registers->at[CFI_RSP], exact);
	walk->bp = registers->at[CFI_RBP];
	walk->bp_known = registers->known >> CFI_RBP & 1;
	walk->known_at = *registers;
	walk->known_exact = exact;
	walk->since = 0;
	return step;
}

/* DWARF's order of registers in the kernel's. */
static const uint8_t kernel_order[CFI_REGISTERS] = { REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
	                                                 REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
	                                                 REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP };

static enum step step_signal(struct walk *walk)
{
	struct cfi_registers registers = { .known = (1u << CFI_REGISTERS) - 1 };
	uintptr_t general = walk->sp + offsetof(ucontext_t, uc_mcontext.gregs);
	for (unsigned number = 0; number < CFI_REGISTERS; number++)
		if (!stack_memory_word(&walk->memory, general + kernel_order[number] * 8u, &registers.at[number]))
			return STEP_STUCK;
	return enter_known(walk, &registers, true);
}

/* All registers of the current frame, by walking to it again from where they were known. */
static bool find_registers(struct walk *walk, struct cfi_room *room, struct cfi_registers *ret_registers)
{
	*ret_registers = walk->known_at;
	bool exact = walk->known_exact;
	if (walk->since > AGAIN_MAX)
		return false;
	for (uint32_t i = 0; i < walk->since; i++) {
		struct cfi_row row;
		if (!rule_find_row(ret_registers->at[CFI_RA] - !exact, walk->may_vanish, room, &row) ||
		    !cfi_apply(&row, ret_registers, &walk->memory))
			return false;
		exact = false;
	}
	return ret_registers->at[CFI_RA] == walk->pc && ret_registers->at[CFI_RSP] == walk->sp;
}

static enum step step_complex(struct walk *walk, struct cfi_room *room)
{
	struct cfi_registers registers;
	struct cfi_row row;
	if (!find_registers(walk, room, &registers) || !rule_find_row(lookup_address(walk), walk->may_vanish, room, &row) ||
	    !cfi_apply(&row, &registers, &walk->memory))
		return STEP_STUCK;
	return enter_known(walk, &registers, row.signal_frame);
}

static __attribute__((noinline)) enum step step_complex_live(struct walk *walk)
{
	return step_complex(walk, NULL);
}

static __attribute__((noinline)) enum step step_complex_copied(struct walk *walk)
{
	struct cfi_room room;
	return step_complex(walk, &room);
}

enum finding { FOUND_NOTHING, FOUND_LIKELY, FOUND_CERTAIN };

/* Looks at the words on top of the stack for the return address of an interrupted function that has no description. A
 * direct call of an address not far in front of the pc is as good as certain. Otherwise the word at sp, or the next, is
 * likely: there it lies in functions without a frame, such as `_init`, and after a call into nowhere. */
static enum finding find_return_slot(struct walk *walk, uintptr_t *ret_slot, uintptr_t *ret_pc)
{
	enum finding found = FOUND_NOTHING;
	for (uintptr_t slot = walk->sp; slot - walk->sp < LEAF_SEARCH_BYTES; slot += 8) {
		uintptr_t pc, target = 0;
		if (!stack_memory_word(&walk->memory, slot, &pc))
			break;
		if (pc < PSEUDO_LIMIT || !module_map_has(pc - 1))
			continue;
		enum repair_call call = repair_call_before(pc, &target);
		bool certain = call == REPAIR_DIRECT && walk->pc - target < LEAF_CODE_BYTES;
		if (!certain && (call == REPAIR_NO_CALL || found || slot > walk->sp + 8))
			continue;
		*ret_slot = slot;
		*ret_pc = pc;
		found = certain ? FOUND_CERTAIN : FOUND_LIKELY;
		if (certain)
			break;
	}
	return found;
}

/* No description: code of a just-in-time compiler, or assembly. If it keeps frame pointers they lead on; they are
 * believed if an address behind a call stands there. */
static bool find_frame_pointer(struct walk *walk, uintptr_t *ret_pc, uintptr_t *ret_bp)
{
	uintptr_t bp = walk->bp, target;
	return walk->bp_known && bp % 8 == 0 && bp >= walk->sp && stack_memory_word(&walk->memory, bp, ret_bp) &&
	       stack_memory_word(&walk->memory, bp + 8, ret_pc) && *ret_pc >= PSEUDO_LIMIT &&
	       repair_call_before(*ret_pc, &target) != REPAIR_NO_CALL;
}

static __attribute__((noinline)) enum step step_undescribed(struct walk *walk)
{
	uintptr_t slot = 0, pc = 0, by_bp = 0, caller_bp = 0;
	bool has_bp = find_frame_pointer(walk, &by_bp, &caller_bp);
	/* What comes next is a guess, and may lie in a module that another thread unloads: from here on tables are read by copies. */
	walk->may_vanish = true;
	enum finding found = walk->exact ? find_return_slot(walk, &slot, &pc) : FOUND_NOTHING;
	/* Where nothing can be executed there is no frame: rbp is still the caller's. */
	if (found == FOUND_LIKELY && has_bp && !stack_memory_page(walk->pc))
		found = FOUND_CERTAIN;
	if (found == FOUND_CERTAIN || (found && !has_bp))
		return enter(walk, pc, slot + 8, false);
	if (!has_bp)
		return STEP_STUCK;
	enum step step = enter(walk, by_bp, walk->bp + 16, false);
	if (step == STEP_ON)
		know_only_bp(walk, caller_bp);
	return step;
}

/* A return address that is a function's first, with nothing described in front of it, was put there by hand, as
 * makecontext does: nobody has called, the stack begins here. */
static bool is_made_by_hand(const struct walk *walk)
{
	return !walk->exact && rule_find_function(walk->pc, walk->may_vanish) == walk->pc;
}

static enum step step_slow(struct walk *walk)
{
	uintptr_t address = lookup_address(walk);
	if (walk->total >= WALK_MAX)
		return STEP_STUCK;
	uint32_t rule = rule_find(address, walk->may_vanish);
	walk->skip_own = walk->skip_own && unwind_is_own(address);
	if (!walk->skip_own)
		put_frame(walk, address);
	switch (rule_kind(rule)) {
	case RULE_NONE:
		return is_made_by_hand(walk) ? STEP_ROOT : step_undescribed(walk);
	case RULE_ROOT:
		return STEP_ROOT;
	case RULE_SIGNAL:
		return step_signal(walk);
	case RULE_COMPLEX:
		return walk->may_vanish ? step_complex_copied(walk) : step_complex_live(walk);
	case RULE_RSP:
	case RULE_RBP:
	case RULE_AT_RBP:
	case RULE_AT_RSP:
		break;
	}
	return step_simple(walk, rule);
}

/* --- walks -------------------------------------------------------------------------------------------------------- */

static enum unwind_end walk_all(struct walk *walk)
{
	enum step step;
	do {
		step = run_cached(walk);
		if (step == STEP_ON)
			step = step_slow(walk);
	} while (step == STEP_ON);
	if (step == STEP_STUCK && stack_memory_is_root(walk->sp)) {
		step = STEP_ROOT;
		walk->memory.ended = false;
	}
	finish(walk, step != STEP_ROOT);
	if (walk->memory.ended)
		return UNWIND_NEEDS_MORE;
	if (step == STEP_ROOT)
		return UNWIND_COMPLETE;
	loss_count(LOSS_UNWIND_FAILED);
	return UNWIND_STUCK;
}

static void begin(struct walk *walk, struct frames *frames)
{
	walk->pc = walk->known_at.at[CFI_RA];
	walk->sp = walk->known_at.at[CFI_RSP];
	walk->bp = walk->known_at.at[CFI_RBP];
	walk->bp_known = walk->known_at.known >> CFI_RBP & 1;
	walk->exact = walk->known_exact = true;
	walk->skip_own = walk->may_vanish = false;
	walk->switches = 0;
	walk->total = walk->since = 0;
	walk->frames = frames;
}

static void begin_here(struct walk *walk, const struct unwind_registers *from, struct frames *frames)
{
	walk->known_at.known = (from->known & UNWIND_ALL_CALLEE_SAVED) | 1u << CFI_RSP | 1u << CFI_RA;
	walk->known_at.at[CFI_RA] = from->pc;
	walk->known_at.at[CFI_RSP] = from->sp;
	walk->known_at.at[CFI_RBP] = from->bp;
	walk->known_at.at[CFI_RBX] = from->bx;
	walk->known_at.at[CFI_R12] = from->r12;
	walk->known_at.at[CFI_R13] = from->r13;
	walk->known_at.at[CFI_R14] = from->r14;
	walk->known_at.at[CFI_R15] = from->r15;
	begin(walk, frames);
}

void unwind_self(const struct unwind_registers *registers, bool skip_own, struct frames *ret_frames)
{
	struct walk walk;
	begin_here(&walk, registers, ret_frames);
	walk.skip_own = skip_own;
	stack_memory_live(&walk.memory, registers->sp, tls.thread);
	(void)walk_all(&walk);
}

/* True if this handler runs on a stack for signals that is as good as used up: the host's own handler, which it has interrupted, had it for
 * itself alone, and what lies below is other memory. */
static bool is_cramped(const ucontext_t *context)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0), low = (uintptr_t)context->uc_stack.ss_sp;
	return !(context->uc_stack.ss_flags & SS_DISABLE) && here >= low && here - low < STACK_ROOM;
}

static __attribute__((noinline)) void walk_context(const ucontext_t *context, const struct thread_record *thread,
                                                   struct frames *ret_frames)
{
	struct walk walk;
	walk.known_at.known = (1u << CFI_REGISTERS) - 1;
	for (unsigned number = 0; number < CFI_REGISTERS; number++)
		walk.known_at.at[number] = (uintptr_t)context->uc_mcontext.gregs[kernel_order[number]];
	begin(&walk, ret_frames);
	stack_memory_live(&walk.memory, walk.sp, thread);
	(void)walk_all(&walk);
}

void unwind_context(const ucontext_t *context, const struct thread_record *thread, struct frames *ret_frames)
{
	if (!is_cramped(context)) {
		walk_context(context, thread, ret_frames);
		return;
	}
	*ret_frames = (struct frames){ .failed = true };
	ret_frames->at[ret_frames->count++] = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
	ret_frames->at[ret_frames->count++] = PSEUDO_UNWIND_FAILED;
	loss_count(LOSS_UNWIND_FAILED);
}

enum unwind_end unwind_copied(const struct unwind_registers *registers, const struct unwind_copy *copy,
                              struct frames *ret_frames)
{
	static const unsigned char nothing[1];
	struct walk walk;
	begin_here(&walk, registers, ret_frames);
	walk.may_vanish = true;
	walk.memory =
			(struct stack_memory){ copy->low, copy->low + copy->size, copy->bytes ? copy->bytes : nothing, false };
	return walk_all(&walk);
}

bool unwind_is_own(uintptr_t address)
{
	return address - (uintptr_t)__start_cpprof_text < (uintptr_t)__stop_cpprof_text - (uintptr_t)__start_cpprof_text;
}

void unwind_init(void)
{
	module_map_init();
	stack_memory_init();
}

uint64_t unwind_bytes(void)
{
	return sizeof(rule_cache) + module_map_bytes();
}
