/* unwind.h - from registers to a stack, by the .eh_frame tables of the loaded code, frame pointers as the fallback.
 *
 * No allocation, no lock, no system call when warm; safe in any signal handler, inside malloc, in a fork child. See
 * docs/unwinding.md for the rules, the cache and the traps.
 */
#ifndef CPPROF_RUNTIME_SIGNAL_UNWIND_H
#define CPPROF_RUNTIME_SIGNAL_UNWIND_H

#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

#include "runtime/shared/frames.h"

struct thread_record;

/* The registers that a caller's frame can be found from. `known` has bit N set for DWARF register N. */
struct unwind_registers {
	uintptr_t pc, sp;
	uintptr_t bp, bx, r12, r13, r14, r15;
	uint32_t known;
};
#define UNWIND_ALL_CALLEE_SAVED 0xF0C8u /* rbx 3, rbp 6, rsp 7, r12-r15 */

/* Stores where the calling function is now: pc inside it, its sp, and the callee-saved registers. What is stored stays
 * good for unwinding as long as the function has not returned and its frame not moved (no alloca after it). Inline: the
 * caller's own frame is the leaf. */
#define UNWIND_HERE(registers) \
	__asm__ volatile("leaq 0(%%rip), %%rax\n\t" \
	                 "movq %%rax, 0(%0)\n\t" \
	                 "movq %%rsp, 8(%0)\n\t" \
	                 "movq %%rbp, 16(%0)\n\t" \
	                 "movq %%rbx, 24(%0)\n\t" \
	                 "movq %%r12, 32(%0)\n\t" \
	                 "movq %%r13, 40(%0)\n\t" \
	                 "movq %%r14, 48(%0)\n\t" \
	                 "movq %%r15, 56(%0)\n\t" \
	                 "movl $0xF0C8, 64(%0)" \
	                 : \
	                 : "r"(registers) \
	                 : "rax", "memory")

/* The calling thread's stack from these registers on (UNWIND_HERE, or a handler's context). Frames inside libcpprof itself at
 * the leaf are left out when skip_own is set. Reads the live stack: [stack_low, stack_high) of the thread if known, else page
 * by page as far as it is mapped. Never fails: what cannot be reached is a pseudo frame, and counted. */
void unwind_self(const struct unwind_registers *registers, bool skip_own, struct frames *ret_frames);
/* The same from a signal handler's context: the leaf is the interrupted pc, exact. `thread`: whose record tells where the stack ends, or NULL. */
void unwind_context(const ucontext_t *context, const struct thread_record *thread, struct frames *ret_frames);

/* A copy of a piece of another thread's stack: bytes [low, low + size) of its address space, in `bytes`. */
struct unwind_copy {
	uintptr_t low;
	const unsigned char *bytes;
	size_t size;
};
enum unwind_end {
	UNWIND_COMPLETE,   /* reached the root */
	UNWIND_NEEDS_MORE, /* the copy ended before the root: copy more and unwind again */
	UNWIND_STUCK,      /* no rule, or the rule's registers unknown and not to be repaired */
};
/* Unwinds a thread that stands still, from its copied stack. `leaf_is_exact`: registers->pc is the next instruction of a thread that
 * the kernel or a wrapper has stopped. Where a frame needs rbp and nobody saved it, the slot is searched for (the repair). */
enum unwind_end unwind_copied(const struct unwind_registers *registers, const struct unwind_copy *copy,
                              struct frames *ret_frames);

/* True if [address] lies in libcpprof's own text. */
bool unwind_is_own(uintptr_t address);
/* Must be called once before the first unwind (constructor or first hook); cheap, idempotent, async-signal-safe. */
void unwind_init(void);
/* Memory of the cache and of the module table, bytes. */
uint64_t unwind_bytes(void);

#endif
