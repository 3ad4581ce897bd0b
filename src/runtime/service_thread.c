/* service_thread.c - the raw clone behind service_thread.h.
 *
 * The thread's memory is one mapping, made once and kept: a guard page, the stack, room for the static thread-local blocks
 * of all loaded libraries (which lie below the thread pointer on x86-64: ELF TLS variant II), and a thread control block with as
 * much in it as compiled code looks at: itself at 0 and 0x10, the stack canary at 0x28, the pointer guard at 0x30.
 */
#include "runtime/service_thread.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "runtime/shared/pages.h"
#include "runtime/shared/sys.h"
#include "runtime/shared/tls.h"

#define STACK_SIZE ((size_t)128 * 1024)
/* Below the thread pointer, beyond our own block: libc's errno and what libraries that were loaded at start have there. */
#define TLS_MARGIN ((size_t)64 * 1024)
/* glibc's struct pthread has 2.3 kB. */
#define CONTROL_BLOCK_SIZE PAGE_SIZE

static struct {
	unsigned char *memory;
	size_t size;
	unsigned char *stack_top, *control_block;
	_Atomic int tid; /* the kernel writes it at start, and 0 at the end, and wakes who waits for that */
	int last_tid;    /* of the thread started last */
} thread;

static uintptr_t thread_pointer(void)
{
	uintptr_t pointer;
	__asm__("movq %%fs:0, %0" : "=r"(pointer));
	return pointer;
}

static void copy_guard_word(size_t offset)
{
	uint64_t word;
	__asm__("movq %%fs:(%1), %0" : "=r"(word) : "r"(offset));
	*(uint64_t *)(void *)(thread.control_block + offset) = word;
}

static bool make_memory(void)
{
	if (thread.memory)
		return true;
	size_t own_block = thread_pointer() - (uintptr_t)&tls;
	size_t below = (own_block + TLS_MARGIN + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
	size_t size = PAGE_SIZE + STACK_SIZE + below + CONTROL_BLOCK_SIZE;
	unsigned char *memory = pages_map(size);
	if (!memory)
		return false;
	sys3(SYS_mprotect, (long)memory, PAGE_SIZE, PROT_NONE);
	thread.memory = memory;
	thread.size = size;
	thread.stack_top = memory + PAGE_SIZE + STACK_SIZE;
	thread.control_block = thread.stack_top + below;
	return true;
}

/* A second thread on the same memory must find what the first found: zeros. */
static void make_control_block(void)
{
	sys3(SYS_madvise, (long)thread.stack_top, (long)(thread.memory + thread.size - thread.stack_top), MADV_DONTNEED);
	*(void **)(void *)thread.control_block = thread.control_block;
	*(void **)(void *)(thread.control_block + 0x10) = thread.control_block;
	copy_guard_word(0x28);
	copy_guard_word(0x30);
}

/* No CLONE_FILES, on purpose; see the header. CLONE_FS: a chroot of the host is to hold for this thread, too. */
static long clone_thread(void (*entry)(void))
{
	long flags = CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD | CLONE_SETTLS | CLONE_PARENT_SETTID |
	             CLONE_CHILD_CLEARTID;
	register long r10 __asm__("r10") = (long)&thread.tid;
	register long r8 __asm__("r8") = (long)thread.control_block;
	register long r12 __asm__("r12") = (long)entry;
	long result;
	__asm__ volatile("syscall\n\t"
	                 "testq %%rax, %%rax\n\t"
	                 "jnz 1f\n\t"
	                 ".cfi_remember_state\n\t"
	                 ".cfi_undefined rip\n\t" /* the root of its stack */
	                 "xorl %%ebp, %%ebp\n\t"
	                 "callq *%%r12\n\t"
	                 "xorl %%edi, %%edi\n\t"
	                 "movl %[exit], %%eax\n\t"
	                 "syscall\n\t"
	                 "hlt\n\t"
	                 ".cfi_restore_state\n\t"
	                 "1:"
	                 : "=a"(result)
	                 : "a"((long)SYS_clone), "D"(flags), "S"((long)thread.stack_top), "d"((long)&thread.tid), "r"(r10),
	                   "r"(r8), "r"(r12), [exit] "i"(SYS_exit)
	                 : "rcx", "r11", "memory");
	return result;
}

int service_thread_start(void (*entry)(void))
{
	if (!make_memory())
		return -ENOMEM;
	make_control_block();
	uint64_t mask;
	sys_block_signals(&mask);
	long made = clone_thread(entry);
	sys_restore_signals(&mask);
	if (made < 0)
		return (int)made;
	thread.last_tid = (int)made;
	return 0;
}

void service_thread_drop_descriptors(void)
{
	if (sys3(SYS_close_range, 0, ~0u, 0) >= 0)
		return;
	/* Before Linux 5.9. The table is ours alone: nothing of the host's can be closed. */
	struct rlimit limit = { .rlim_cur = 1024 };
	sys4(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit);
	int last = limit.rlim_cur > 1048576 ? 1048576 : (int)limit.rlim_cur;
	for (int fd = 0; fd < last; fd++)
		sys_close(fd);
}

int service_thread_tid(void)
{
	return atomic_load_explicit(&thread.tid, memory_order_acquire);
}

/* The word is emptied before the kernel takes the thread off the process's list, which is what unshare(2) looks at. */
static bool await_removal(uint64_t deadline_ns)
{
	int pid = sys_getpid();
	while (thread.last_tid && sys3(SYS_tgkill, pid, thread.last_tid, 0) >= 0) {
		struct timespec pause = { 0, 20000 };
		if (monotonic_ns() >= deadline_ns)
			return false;
		sys3(SYS_nanosleep, (long)&pause, 0, 0);
	}
	return true;
}

bool service_thread_join(uint64_t timeout_ns)
{
	uint64_t deadline_ns = monotonic_ns() + timeout_ns;
	for (int tid; (tid = service_thread_tid()) != 0;) {
		uint64_t now_ns = monotonic_ns();
		if (now_ns >= deadline_ns)
			return false;
		uint64_t left_ns = deadline_ns - now_ns;
		struct timespec left = { (time_t)(left_ns / 1000000000u), (long)(left_ns % 1000000000u) };
		/* Not private: the kernel wakes the clear-at-exit word as a shared one. */
		sys4(SYS_futex, (long)&thread.tid, FUTEX_WAIT, tid, (long)&left);
	}
	return await_removal(deadline_ns);
}

void service_thread_forked(void)
{
	atomic_store_explicit(&thread.tid, 0, memory_order_relaxed);
	thread.last_tid = 0;
}
