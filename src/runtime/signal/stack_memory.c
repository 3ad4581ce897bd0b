/* stack_memory.c - where the calling thread's stack is, and asking the kernel whether a page is there. */
#include "runtime/signal/stack_memory.h"

#include <signal.h>

#include "runtime/shared/process.h"
#include "runtime/shared/sys.h"
#include "runtime/shared/threads.h"
#include "runtime/shared/tls.h"

#define PAGE ((uintptr_t)4096)
/* The main thread's stack cannot have grown further than this with the usual limit; beyond it each page is asked for. */
#define MAIN_STACK_TRUSTED ((uintptr_t)8 * 1024 * 1024)

#define FIRST_FRAME ((uintptr_t)64) /* what _start pushes and pops before it calls */

extern void *__libc_stack_end;

void stack_memory_live(struct stack_memory *memory, uintptr_t sp)
{
	/* From the page of sp up. */
	*memory = (struct stack_memory){ sp & ~(PAGE - 1), sp & ~(PAGE - 1), NULL, false };
	const struct thread_record *thread = tls.thread;
	uintptr_t main_end = (uintptr_t)__libc_stack_end;
	if (thread && sp >= thread->stack_low && sp < thread->stack_high && thread->stack_low)
		memory->high = thread->stack_high;
	else if (sp < main_end && main_end - sp < MAIN_STACK_TRUSTED)
		memory->high = main_end;
	/* Else nothing is taken for granted: code may use rsp for something else. The red zone may reach into the page below, which is
	 * asked for as well. */
}

bool stack_memory_is_root(uintptr_t sp)
{
	return sp - ((uintptr_t)__libc_stack_end - FIRST_FRAME) <= 2 * FIRST_FRAME;
}

/* rt_sigprocmask reads the new set before it looks at what to do with it: EFAULT tells an unmapped page, EINVAL that the
 * read went well. Nothing is changed in either case. */
bool stack_memory_is_readable(uintptr_t address)
{
	return sys4(SYS_rt_sigprocmask, -1, (long)(address & ~(uintptr_t)7), 0, 8) != -14 /* EFAULT */;
}

bool stack_memory_word_slow(struct stack_memory *memory, uintptr_t address, uintptr_t *ret_word)
{
	if (memory->bytes) {
		memory->ended |= address >= memory->low;
		return false;
	}
	if (address < PAGE || address > UINTPTR_MAX - 2 * PAGE || !stack_memory_is_readable(address) ||
	    !stack_memory_is_readable(address + sizeof(*ret_word) - 1))
		return false;
	uintptr_t page = address & ~(PAGE - 1);
	/* Next to what is known: the known part grows. Elsewhere: another stack, and it becomes the known part. */
	if (page == ((memory->high + PAGE - 1) & ~(PAGE - 1)) || page == memory->high) {
		memory->high = page + PAGE;
	} else if (page + PAGE == (memory->low & ~(PAGE - 1))) {
		memory->low = page;
	} else {
		memory->low = page;
		memory->high = page + PAGE;
	}
	memcpy(ret_word, (const void *)address, sizeof(*ret_word));
	return true;
}
