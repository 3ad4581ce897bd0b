/* places_enter.c - enters a hard place and executes a program there.
 *
 *     places_enter WORD... -- PROGRAM ARGUMENT...
 *
 * no_perf, no_ptrace, no_timers: perf_event_open, ptrace (and process_vm_readv), timer_create fail with EPERM, as containers have it; with the
 * word kills they end the process, as a service manager has it. read_only: every file system is read-only, in a mount namespace of its own;
 * no_proc: /proc is empty there. nobody: as user and group 65534, without groups and privileges. nofile=N, sigpending=N: these limits. The
 * library goes into the program alone, by PLACES_PRELOAD, so that it finds the place as it is. Where the place cannot be had: status 77 and why.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534
#define DENIED_MAX 8

static unsigned denied[DENIED_MAX], denied_count, action = SECCOMP_RET_ERRNO | EPERM;

static void require(int condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(77);
}

static void deny(long number)
{
	require(denied_count < DENIED_MAX, "too many system calls");
	denied[denied_count++] = (unsigned)number;
}

/* As mount_setattr(2) has it; not every libc's headers do. */
struct mount_attributes {
	unsigned long set, clear, propagation, user_namespace;
};

static void make_read_only(void)
{
	const struct mount_attributes attributes = { 1 /* read-only */, 0, MS_PRIVATE, 0 };
	require(unshare(CLONE_NEWNS) == 0, "a mount namespace");
	require(syscall(SYS_mount_setattr, AT_FDCWD, "/", 0x8000 /* AT_RECURSIVE */, &attributes, sizeof(attributes)) == 0,
	        "read-only file systems");
	require(access("/", W_OK) < 0 && errno == EROFS, "a read-only root");
}

static void hide_proc(void)
{
	require(unshare(CLONE_NEWNS) == 0, "a mount namespace");
	require(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "private mounts");
	require(mount("none", "/proc", "tmpfs", 0, NULL) == 0, "an empty /proc");
}

static void limit(int which, const char *number)
{
	rlim_t value = strtoul(number, NULL, 10);
	struct rlimit both = { value, value };
	require(setrlimit((__rlimit_resource_t)which, &both) == 0, "a limit");
}

static void become_nobody(void)
{
	require(setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0,
	        "to be nobody");
}

/* One instruction for each system call, behind the check of the architecture. */
static void install_filter(void)
{
	struct sock_filter code[DENIED_MAX * 2 + 4];
	unsigned short size = 0;
	code[size++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (unsigned i = 0; i < denied_count; i++) {
		code[size++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, denied[i], 0, 1);
		code[size++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action);
	}
	code[size++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { size, code };
	require(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0,
	        "a filter of system calls");
}

int main(int argc, char **argv)
{
	int at = 1, nobody = 0;
	for (; at < argc && strcmp(argv[at], "--") != 0; at++) {
		const char *word = argv[at];
		if (strcmp(word, "no_perf") == 0)
			deny(SYS_perf_event_open);
		else if (strcmp(word, "no_ptrace") == 0)
			deny(SYS_ptrace), deny(SYS_process_vm_readv);
		else if (strcmp(word, "no_timers") == 0)
			deny(SYS_timer_create);
		else if (strcmp(word, "kills") == 0)
			action = SECCOMP_RET_KILL_PROCESS;
		else if (strcmp(word, "read_only") == 0)
			make_read_only();
		else if (strcmp(word, "no_proc") == 0)
			hide_proc();
		else if (strcmp(word, "nobody") == 0)
			nobody = 1;
		else if (strncmp(word, "nofile=", 7) == 0)
			limit(RLIMIT_NOFILE, word + 7);
		else if (strncmp(word, "sigpending=", 11) == 0)
			limit(RLIMIT_SIGPENDING, word + 11);
		else
			require(0, word);
	}
	require(at + 1 < argc, "a program");
	if (nobody)
		become_nobody();
	if (denied_count)
		install_filter();
	const char *library = getenv("PLACES_PRELOAD");
	if (library)
		setenv("LD_PRELOAD", library, 1);
	execv(argv[at + 1], argv + at + 1);
	perror(argv[at + 1]);
	return 1;
}
