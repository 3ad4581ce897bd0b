/* stack_memory.c - where the calling thread's stack is, and asking the kernel whether a page is there. */
#include "runtime/signal/stack_memory.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>

#include "runtime/shared/pages.h"
#include "runtime/shared/sys.h"
#include "runtime/shared/threads.h"
#include "runtime/shared/tls.h"

/* Nothing but the main thread's stack lies this close below its end: the kernel maps everything else at least 128 MiB
 * lower. */
#define MAIN_STACK_TRUSTED ((uintptr_t)8 << 20)
/* What _start pushes and pops before it calls. */
#define FIRST_FRAME ((uintptr_t)64)
/* A frame larger than this is not believed when it leads out of a copy. */
#define FRAME_MAX ((uintptr_t)64 << 20)

/* The first words of the main thread's stack, where the program's arguments begin: set by the dynamic loader. */
extern void *__libc_stack_end;

static uintptr_t page_of(uintptr_t address)
{
	return address & ~(uintptr_t)(PAGE_SIZE - 1);
}

/* Code that runs has its stack from sp upwards. Below sp is what an epilogue has just popped, which its rules still name
 * (the red zone, 128 bytes): on the page of sp that is there as well, on the one below it is asked for. */
void stack_memory_live(struct stack_memory *memory, uintptr_t sp, const struct thread_record *thread)
{
	uintptr_t main_end = (uintptr_t)__libc_stack_end;
	*memory = (struct stack_memory){ .low = page_of(sp), .high = page_of(sp) };
	if (thread && sp >= thread->stack_low && sp < thread->stack_high)
		memory->high = thread->stack_high;
	else if (sp < main_end && main_end - sp < MAIN_STACK_TRUSTED)
		memory->high = page_of(main_end) + PAGE_SIZE;
}

bool stack_memory_is_root(uintptr_t sp)
{
	return sp - ((uintptr_t)__libc_stack_end - FIRST_FRAME) <= 2 * FIRST_FRAME;
}

/* rt_sigprocmask reads the new set before it looks at what to do with it: EFAULT tells a page that cannot be read,
 * EINVAL that the read went well; nothing is changed either way. Half the price of process_vm_readv, and no sandbox
 * forbids it. Emulators that look the other way round are told by an address that is never mapped. */
bool stack_memory_page(uintptr_t address)
{
	enum { UNDECIDED, BY_SIGPROCMASK, BY_COPY };
	static _Atomic int way;
	const int nothing_to_do = -1;
	if (address < PAGE_SIZE || address >> 47)
		return false;
	int decided = atomic_load_explicit(&way, memory_order_relaxed);
	if (decided == UNDECIDED) {
		decided = sys4(SYS_rt_sigprocmask, nothing_to_do, 8, 0, 8) == -EFAULT ? BY_SIGPROCMASK : BY_COPY;
		atomic_store_explicit(&way, decided, memory_order_relaxed);
	}
	if (decided == BY_SIGPROCMASK)
		return sys4(SYS_rt_sigprocmask, nothing_to_do, (long)(address & ~(uintptr_t)7), 0, 8) != -EFAULT;
	unsigned char byte;
	return sys_copy_memory(&byte, (const unsigned char *)address, 1) == 1;
}

bool stack_memory_word_slow(struct stack_memory *memory, uintptr_t address, uintptr_t *ret_word)
{
	if (memory->bytes) {
		memory->ended |= address >= memory->low && address - memory->low < memory->high - memory->low + FRAME_MAX;
		return false;
	}
	uintptr_t first = page_of(address), last = page_of(address + sizeof(*ret_word) - 1);
	if (address > UINTPTR_MAX - sizeof(*ret_word))
		return false;
	/* By a copy: elsewhere than on this thread's stack the page may be unmapped the next moment. */
	if (sys_copy_memory(ret_word, (const unsigned char *)address, sizeof(*ret_word)) != (long)sizeof(*ret_word))
		return false;
	/* Next to what is known: it is this stack, whose known part grows. Any other page is asked for each time. */
	if (first <= memory->high && last >= memory->high && first >= memory->low)
		memory->high = last + PAGE_SIZE;
	else if (last + PAGE_SIZE == memory->low)
		memory->low = first;
	return true;
}

static uintptr_t tls_distance; /* of our block from the thread pointer */

void stack_memory_init(void)
{
	uintptr_t pointer;
	__asm__("movq %%fs:0, %0" : "=r"(pointer));
	tls_distance = (uintptr_t)&tls - pointer;
}

#define ARCH_GET_FS 0x1003

/* A record says whose it is by the address of its thread's descriptor, where the thread pointer points to. */
const struct thread_record *stack_memory_thread(void)
{
	uintptr_t pointer = 0;
	sys3(SYS_arch_prctl, ARCH_GET_FS, (long)&pointer, 0);
	uintptr_t block = pointer + tls_distance;
	if (!pointer || !tls_distance || !stack_memory_page(block) || !stack_memory_page(block + sizeof(tls) - 1))
		return NULL;
	const struct thread_record *record = ((const struct tls *)block)->thread;
	if (!record || (uintptr_t)record % _Alignof(struct thread_record) || !stack_memory_page((uintptr_t)record))
		return NULL;
	return (uintptr_t)record->pthread == pointer ? record : NULL;
}
