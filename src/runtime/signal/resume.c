/* resume.c - sets a thread back to the system call that only our signal has interrupted.
 *
 * SA_RESTART does most of it in the kernel: read, accept, futex without a time-out, wait4 and so on go on by themselves. The calls
 * listed here return EINTR all the same (signal(7)). A thread that gets our signal was running when we sent it, so it can
 * only just have entered the call: beginning it anew makes a relative time-out longer by the time since then, which is
 * some microseconds, and changes nothing else. A call that has transferred something returns that and no EINTR.
 *
 * The kernel has overwritten the number of the call with -EINTR. It is read from the code before the instruction: all of
 * libc, and what compilers make of inline assembly, loads it as a constant; and failing that from what the thread's wrapper
 * has published.
 *
 * The host must see its own EINTR. If another signal is pending that the host lets through and would have noticed, nothing is
 * set back. One that arrives later finds the thread as if it had come just before the call.
 */
#include "runtime/signal/resume.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#include "runtime/shared/losses.h"
#include "runtime/shared/sys.h"
#include "runtime/shared/threads.h"
#include "runtime/signal/stack_memory.h"

#define CODE_BYTES 40u /* how far before the instruction the constant is looked for */
#define INSTRUCTION_BYTES 2u
#define SYSTEM_CALLS_MAX 1024u

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

static const short resumable[] = {
	SYS_poll,          SYS_ppoll,           SYS_select,          SYS_pselect6,       SYS_epoll_wait,  SYS_epoll_pwait,
	SYS_epoll_pwait2,  SYS_nanosleep,       SYS_clock_nanosleep, SYS_futex,          SYS_futex_waitv, SYS_pause,
	SYS_rt_sigsuspend, SYS_rt_sigtimedwait, SYS_msgrcv,          SYS_msgsnd,         SYS_semop,       SYS_semtimedop,
	SYS_recvfrom,      SYS_recvmsg,         SYS_recvmmsg,        SYS_sendto,         SYS_sendmsg,     SYS_sendmmsg,
	SYS_accept,        SYS_accept4,         SYS_connect,         SYS_read,           SYS_write,       SYS_readv,
	SYS_writev,        SYS_io_getevents,    SYS_io_pgetevents,   SYS_io_uring_enter,
};

static bool is_resumable(long number)
{
	for (size_t i = 0; i < sizeof(resumable) / sizeof(resumable[0]); i++)
		if (resumable[i] == number)
			return true;
	return false;
}

long resume_number(const unsigned char *code, size_t size)
{
	if (size < INSTRUCTION_BYTES || code[size - 2] != 0x0f || code[size - 1] != 0x05)
		return -1;
	size_t end = size - INSTRUCTION_BYTES;
	/* xor %eax,%eax is read; as two bytes they may be anything, so only right before. */
	if (end >= 2 && code[end - 2] == 0x31 && code[end - 1] == 0xc0)
		return SYS_read;
	/* mov $number,%eax, the nearest one. */
	for (size_t at = end; at-- > 0;) {
		uint32_t number;
		if (code[at] != 0xb8 || at + 1 + sizeof(number) > end)
			continue;
		memcpy(&number, code + at + 1, sizeof(number));
		/* The nearest that can be a number decides: behind one that is not for us there may be another, of another call. */
		if (number < SYSTEM_CALLS_MAX)
			return is_resumable(number) ? (long)number : -1;
	}
	return -1;
}

/* The system call under the wrapper that has published last. */
static long published_number(void)
{
	static const short numbers[WAIT_CALL_COUNT] = {
		[WAIT_read] = SYS_read + 1,       [WAIT_write] = SYS_write + 1,   [WAIT_readv] = SYS_readv + 1,
		[WAIT_writev] = SYS_writev + 1,   [WAIT_recv] = SYS_recvfrom + 1, [WAIT_recvfrom] = SYS_recvfrom + 1,
		[WAIT_recvmsg] = SYS_recvmsg + 1, [WAIT_accept] = SYS_accept + 1, [WAIT_accept4] = SYS_accept4 + 1,
		[WAIT_connect] = SYS_connect + 1, [WAIT_pause] = SYS_pause + 1,   [WAIT_syscall] = SYS_futex + 1,
	};
	const struct thread_record *record = stack_memory_thread();
	if (!record || !(atomic_load_explicit(&record->wait_sequence, memory_order_relaxed) & 1))
		return -1;
	uint32_t call = atomic_load_explicit(&record->wait_call, memory_order_relaxed);
	return call < WAIT_CALL_COUNT ? numbers[call] - 1 : -1;
}

/* The code that ends at the interrupted pc, copied so that nothing can fault: what of it is there. */
static size_t copy_code(uintptr_t pc, unsigned char *to)
{
	if (sys_copy_memory(to, (const void *)(pc - CODE_BYTES), CODE_BYTES) == (long)CODE_BYTES)
		return CODE_BYTES;
	/* The page before is not there: from the beginning of this one. */
	size_t size = pc % 4096;
	if (size < INSTRUCTION_BYTES || size > CODE_BYTES)
		return 0;
	return sys_copy_memory(to, (const void *)(pc - size), size) == (long)size ? size : 0;
}

/* True if a signal of this number, delivered now, would not be noticed by the host. */
static bool is_ignored(int number)
{
	struct {
		void (*handler)(int);
		unsigned long flags;
		void (*restorer)(void);
		uint64_t mask;
	} action;
	if (sys4(SYS_rt_sigaction, number, 0, (long)&action, sizeof(action.mask)) != 0)
		return false;
	if (action.handler == SIG_IGN)
		return true;
	return action.handler == SIG_DFL &&
	       (number == SIGCHLD || number == SIGURG || number == SIGWINCH || number == SIGCONT);
}

/* True if a signal of the host waits to be delivered where we return to. */
static bool host_has_signal(const ucontext_t *context)
{
	uint64_t pending = 0, blocked;
	memcpy(&blocked, &context->uc_sigmask, sizeof(blocked));
	sys3(SYS_rt_sigpending, (long)&pending, sizeof(pending), 0);
	for (pending &= ~blocked; pending; pending &= pending - 1)
		if (!is_ignored(__builtin_ctzll(pending) + 1))
			return true;
	return false;
}

void resume_call(ucontext_t *context)
{
	greg_t *registers = context->uc_mcontext.gregs;
	if (registers[REG_RAX] != -EINTR)
		return;
	unsigned char code[CODE_BYTES];
	size_t size = copy_code((uintptr_t)registers[REG_RIP], code);
	if (size < INSTRUCTION_BYTES || code[size - 2] != 0x0f || code[size - 1] != 0x05)
		return;
	if (host_has_signal(context))
		return;
	long number = resume_number(code, size);
	if (number < 0)
		number = published_number();
	if (number < 0) {
		loss_count(LOSS_EINTR_SEEN);
		return;
	}
	registers[REG_RAX] = number;
	registers[REG_RIP] -= (greg_t)INSTRUCTION_BYTES;
}
