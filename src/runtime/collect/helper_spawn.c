/* helper_spawn.c - two clones and an exec.
 *
 * execve() sets a process's exit signal back to SIGCHLD, so the program must be nobody's child but init's: a first clone, whose
 * exit signal is 0 and which only __WCLONE finds, makes a second one, which executes the program, and ends. Both share our
 * memory (as vfork has it), so nothing is copied and no atfork handler runs; they touch nothing but their stacks and *launch, by
 * system calls only.
 */
#include "runtime/collect/helper_spawn.h"

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "runtime/shared/sys.h"

#define CLONE_FLAGS (CLONE_VM | CLONE_VFORK | CLONE_UNTRACED) /* exit signal 0 */
#define SIGNALS 64
#define NICENESS 10
#define MEMORY_MAX ((uint64_t)2 * 1024 * 1024 * 1024)
#define CPU_SECONDS_MAX 20
#define OLD_KERNEL_DESCRIPTORS 4096 /* closed one by one where close_range is missing */
#define ABOVE_STANDARD 10

struct step {
	struct helper_launch *launch;
	unsigned char *stack_top; /* of the next process */
};

/* A new process that runs function(step) on the stack, and never returns from it; the pid or -errno. */
static long clone_onto(unsigned char *stack_top, void (*function)(struct step *step), struct step *step)
{
	long result;
	register long r10 __asm__("r10") = 0;
	register long r8 __asm__("r8") = 0;
	register void (*r12)(struct step *) __asm__("r12") = function;
	register struct step *r13 __asm__("r13") = step;
	__asm__ volatile("syscall\n\t"
	                 "testq %%rax, %%rax\n\t"
	                 "jnz 1f\n\t"
	                 "xorl %%ebp, %%ebp\n\t"
	                 "movq %%r13, %%rdi\n\t"
	                 "callq *%%r12\n\t"
	                 "hlt\n"
	                 "1:"
	                 : "=a"(result)
	                 : "a"((long)SYS_clone), "D"((long)CLONE_FLAGS), "S"((long)stack_top), "d"(0L), "r"(r10), "r"(r8),
	                   "r"(r12), "r"(r13)
	                 : "rcx", "r11", "memory");
	return result;
}

static _Noreturn void end_process(int status)
{
	for (;;)
		sys3(SYS_exit_group, status, 0, 0);
}

/* What execve would keep of the host's: ignored signals, and the mask. No handler can run here: all are taken out before
 * anything is unblocked. */
static void reset_signals(void)
{
	struct {
		uint64_t handler, flags, restorer, mask;
	} standard = { 0 };
	uint64_t none = 0;
	for (int signal = 1; signal <= SIGNALS; signal++)
		sys4(SYS_rt_sigaction, signal, (long)&standard, 0, sizeof(standard.mask));
	sys4(SYS_rt_sigprocmask, SIG_SETMASK, (long)&none, 0, sizeof(none));
}

static void limit(int resource, uint64_t most)
{
	struct {
		uint64_t soft, hard;
	} limits = { most, most };
	sys4(SYS_prlimit64, 0, resource, (long)&limits, 0);
}

static void close_from(int first)
{
	if (sys3(SYS_close_range, first, UINT32_MAX, 0) == 0)
		return;
	for (int fd = first; fd < OLD_KERNEL_DESCRIPTORS; fd++)
		sys_close(fd);
}

/* The standard three, the program at 3 (closed by its execution), and nothing else. Everything is first moved out of the way,
 * since the host may have closed its own standard descriptors. */
static void arrange_descriptors(const struct helper_launch *launch)
{
	long socket = sys3(SYS_fcntl, launch->socket, F_DUPFD, ABOVE_STANDARD);
	long program = sys3(SYS_fcntl, launch->program, F_DUPFD_CLOEXEC, ABOVE_STANDARD);
	sys3(SYS_dup2, socket, 0, 0);
	sys3(SYS_dup2, socket, 1, 0);
	sys3(SYS_dup3, program, 3, O_CLOEXEC);
	sys_close(2);
	sys4(SYS_openat, AT_FDCWD, (long)"/dev/null", O_RDWR, 0); /* the lowest one that is free: 2 */
	close_from(4);
}

static void execute(struct step *step)
{
	struct helper_launch *launch = step->launch;
	reset_signals();
	arrange_descriptors(launch);
	sys3(SYS_setpriority, PRIO_PROCESS, 0, NICENESS);
	limit(RLIMIT_AS, MEMORY_MAX);
	limit(RLIMIT_CPU, CPU_SECONDS_MAX);
	limit(RLIMIT_CORE, 0);
	long failed = sys6(SYS_execveat, 3, (long)"", (long)launch->arguments, (long)launch->environment, AT_EMPTY_PATH, 0);
	launch->error = (int)failed;
	end_process(127);
}

static void go_between(struct step *step)
{
	struct step next = { step->launch, NULL };
	long pid = clone_onto(step->stack_top, execute, &next);
	step->launch->pid = (int)pid;
	end_process(0);
}

int helper_spawn(struct helper_launch *launch, unsigned char *stack)
{
	struct step step = { launch, stack + HELPER_STACK_SIZE / 2 };
	launch->pid = -ECANCELED; /* if the first process dies before it gets anywhere */
	launch->error = 0;
	long pid = clone_onto(stack + HELPER_STACK_SIZE, go_between, &step);
	if (pid < 0)
		return (int)pid;
	while (sys4(SYS_wait4, pid, 0, __WCLONE, 0) == -EINTR)
		;
	return launch->pid < 0 ? launch->pid : launch->error;
}
