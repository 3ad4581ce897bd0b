/* harm HOW: programs that take offence.
 *
 *   filter      installs a filter of system calls that kills for what this program does not do, by prctl; then allocates and frees,
 *               starts a thread, waits
 *   syscall     the same, installed by syscall(SYS_seccomp)
 *   strict      SECCOMP_MODE_STRICT, then allocates small blocks
 * Prints "fine" in the end.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALLOW(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static void install(int by_syscall)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		ALLOW(SYS_read),
		ALLOW(SYS_write),
		ALLOW(SYS_poll),
		ALLOW(SYS_brk),
		ALLOW(SYS_mmap),
		ALLOW(SYS_munmap),
		ALLOW(SYS_mremap),
		ALLOW(SYS_exit_group),
		ALLOW(SYS_newfstatat),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	long error = by_syscall ? syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program)
	                        : prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
	if (error) {
		perror("harm: filter");
		exit(2);
	}
}

static void allocate(void)
{
	static void *volatile block[64];
	for (int i = 0; i < 5000; i++) {
		free(block[i % 64]);
		block[i % 64] = malloc((size_t)(i % 50) * 4000);
	}
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	allocate();
	poll(NULL, 0, 1);
	if (strcmp(how, "strict") == 0) {
		static char line[] = "fine\n";
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0);
		for (int i = 0; i < 1000; i++)
			free(malloc(64));
		syscall(SYS_write, 1, line, sizeof(line) - 1);
		syscall(SYS_exit, 0);
	} else {
		install(strcmp(how, "syscall") == 0);
		allocate();
		poll(NULL, 0, 1);
	}
	puts("fine");
	return 0;
}
