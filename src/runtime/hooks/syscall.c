/* syscall.c - the hook of syscall(): publishes futex waits, notes a filter of system calls, and is not there for
 * anything else.
 *
 * A call like clone or vfork returns twice, the second time perhaps on a stack on which no frame of ours would stand. So the
 * hook is a jump to libc's function, and only a futex wait takes the way through a function with a frame.
 */
#include "runtime/hooks/syscall.h"

#include <assert.h>
#include <errno.h>
#include <linux/futex.h>
#include <linux/seccomp.h>

#include "runtime/hooks/wait.h"
#include "runtime/life.h"

long (*real_syscall)(long number, ...) __attribute__((used));

/* Called by name from the assembly below, with the arguments where syscall() got them. */
long cpprof_syscall_futex(long number, long word, long operation, long c, long d, long e, long f) __attribute__((used));
long cpprof_syscall_seccomp(long number, long operation, long flags, long arg, long d, long e, long f)
		__attribute__((used));
void cpprof_syscall_find(void) __attribute__((used));

static bool waits(long operation)
{
	int command = (int)operation & FUTEX_CMD_MASK;
	return command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET || command == FUTEX_LOCK_PI ||
	       command == FUTEX_WAIT_REQUEUE_PI;
}

static long futex_wait(long number, long word, long operation, long c, long d, long e, long f)
{
	WAIT_ENTER(syscall, word, -1);
	long result = real_syscall(number, word, operation, c, d, e, f);
	/* The word had changed already: no wait. */
	WAIT_LEAVE_IF(result >= 0 || errno != EAGAIN);
	return result;
}

long cpprof_syscall_futex(long number, long word, long operation, long c, long d, long e, long f)
{
	if (!real_syscall)
		cpprof_syscall_find();
	if (!waits(operation))
		return real_syscall(number, word, operation, c, d, e, f);
	return futex_wait(number, word, operation, c, d, e, f);
}

/* Filters are installed through here by libseccomp: the service ends before one could take a call of its thread amiss. */
long cpprof_syscall_seccomp(long number, long operation, long flags, long arg, long d, long e, long f)
{
	if (!real_syscall)
		cpprof_syscall_find();
	if (operation == SECCOMP_SET_MODE_STRICT || operation == SECCOMP_SET_MODE_FILTER)
		life_stop("off: the program has installed a system call filter");
	return real_syscall(number, operation, flags, arg, d, e, f);
}

void cpprof_syscall_find(void)
{
	real_calls_find();
}

HOOK __attribute__((naked)) long syscall(long number __attribute__((unused)), ...)
{
	__asm__(".globl cpprof_syscall_entry\n\t"
	        ".hidden cpprof_syscall_entry\n"
	        "cpprof_syscall_entry:\n\t"
	        "cmpq $202, %rdi\n\t" /* SYS_futex */
	        "je cpprof_syscall_futex\n\t"
	        "cmpq $317, %rdi\n\t" /* SYS_seccomp */
	        "je cpprof_syscall_seccomp\n\t"
	        "movq real_syscall(%rip), %r11\n\t"
	        "testq %r11, %r11\n\t"
	        "jz 1f\n\t"
	        "jmpq *%r11\n"
	        "1:\n\t"
	        /* Called before the constructor: six registers kept, and rsp stays a multiple of 16 at the call. */
	        "pushq %rdi\n\t"
	        "pushq %rsi\n\t"
	        "pushq %rdx\n\t"
	        "pushq %rcx\n\t"
	        "pushq %r8\n\t"
	        "pushq %r9\n\t"
	        "subq $8, %rsp\n\t"
	        ".cfi_adjust_cfa_offset 56\n\t"
	        "call cpprof_syscall_find\n\t"
	        "addq $8, %rsp\n\t"
	        "popq %r9\n\t"
	        "popq %r8\n\t"
	        "popq %rcx\n\t"
	        "popq %rdx\n\t"
	        "popq %rsi\n\t"
	        "popq %rdi\n\t"
	        ".cfi_adjust_cfa_offset -56\n\t"
	        "jmpq *real_syscall(%rip)");
}

extern const char cpprof_syscall_entry[] __attribute__((visibility("hidden")));

uintptr_t syscall_hook_address(void)
{
	return (uintptr_t)cpprof_syscall_entry;
}
