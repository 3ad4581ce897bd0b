/* life_program.c - what C programs do with processes, one way at a time: life_program WAY [argument]. Knows nothing of us.
 *
 * It prints lines "key value" and, where the test is to look at it, "ready"; then it waits for its standard input to close.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/single_threaded.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void tell(const char *key, long value)
{
	printf("%s %ld\n", key, value);
	fflush(stdout);
}

static void be_looked_at(void)
{
	char byte;
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		continue;
}

static void rest(long milliseconds)
{
	struct timespec time = { milliseconds / 1000, milliseconds % 1000 * 1000000 };
	nanosleep(&time, NULL);
}

/* To be looked at, without ever waiting in a call of libc's. */
static void spin(long milliseconds)
{
	struct timespec begin, now;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 < milliseconds);
}

static void way_single(void)
{
	rest(10);
	tell("single", __libc_single_threaded);
	errno = 0;
	tell("waited", waitpid(-1, NULL, 0));
	tell("errno", errno == ECHILD);
	be_looked_at();
	tell("single", __libc_single_threaded);
}

static void *last_thread(void *unused)
{
	rest(100);
	tell("last", 1);
	return unused;
}

static void way_exit_main(void)
{
	pthread_t thread;
	rest(10);
	pthread_create(&thread, NULL, last_thread, NULL);
	pthread_exit(NULL);
}

static void way_daemon(void)
{
	be_looked_at();
	if (daemon(1, 1) != 0)
		exit(1);
	tell("daemon", getpid());
	for (;;)
		pause();
}

static void way_fork(void)
{
	int ends[2];
	rest(10);
	if (pipe(ends) != 0)
		exit(1);
	pid_t waiting = fork();
	if (waiting == 0) {
		char byte;
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) != 0);
	}
	pid_t busy = fork();
	if (busy == 0) {
		spin(1500);
		_exit(0);
	}
	tell("waiting", waiting);
	tell("busy", busy);
	be_looked_at();
	close(ends[1]);
	int status;
	waitpid(waiting, &status, 0);
	tell("status", status);
	waitpid(busy, &status, 0);
	tell("status", status);
}

static void way_close_all(void)
{
	rest(10);
	for (int fd = 3; fd < 2048; fd++)
		close(fd);
	int ends[2];
	for (int i = 0; i < 3; i++) {
		if (pipe(ends) != 0)
			exit(1);
		tell("fd", ends[0]);
		tell("fd", ends[1]);
	}
	closefrom(3);
	be_looked_at();
}

static void way_drop(void)
{
	rest(10);
	tell("groups", setgroups(0, NULL));
	tell("gid", setresgid(65534, 65534, 65534));
	tell("uid", setuid(65534));
	be_looked_at();
}

static void way_toggle(void)
{
	rest(10);
	long failures = 0;
	for (int i = 0; i < 200; i++)
		failures += (seteuid(65534) != 0) + (seteuid(0) != 0);
	tell("failures", failures);
	be_looked_at();
}

static void way_children(void)
{
	extern char **environ;
	char program[] = "/bin/true";
	char *words[] = { program, NULL };
	int status = -1;
	rest(10);
	pid_t pid = vfork();
	if (pid == 0) {
		execve(program, words, environ);
		_exit(127);
	}
	tell("mine", waitpid(pid, &status, 0) == pid);
	tell("vfork", status);
	status = posix_spawn(&pid, program, NULL, NULL, words, environ);
	tell("mine", status == 0 && waitpid(pid, &status, 0) == pid);
	tell("spawn", status);
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0)
		_exit(3);
	tell("mine", waitpid(pid, &status, 0) == pid);
	tell("clone", WEXITSTATUS(status));
	tell("shell", system("exit 4"));
	tell("none", waitpid(-1, &status, WNOHANG) == -1 && errno == ECHILD);
	be_looked_at();
}

/* Until the test says so: it has begun to sample. Then there is something to sample. */
static void burn_when_told(void)
{
	char byte;
	puts("ready");
	fflush(stdout);
	if (read(STDIN_FILENO, &byte, 1) != 1)
		exit(1);
	spin(200);
}

static void install_filter(void)
{
	/* Everything but what this program does from here on kills the process. */
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_read, 5, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigprocmask, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_newfstatat, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	tell("filter", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0));
}

static void way_filter(void)
{
	tell("begin", 1);
	rest(10);
	install_filter();
	be_looked_at();
}

static void way_sampled_filter(void)
{
	tell("begin", 1);
	rest(10);
	burn_when_told();
	install_filter();
	spin(300); /* a sample now, and the filter kills */
	tell("spun", 1);
	be_looked_at();
}

static void way_sampled_unshare(void)
{
	rest(10);
	burn_when_told();
	tell("unshare", unshare(CLONE_NEWUSER));
	spin(100);
	be_looked_at();
}

static void way_unshare(void)
{
	rest(10);
	tell("unshare", unshare(CLONE_NEWUSER));
	be_looked_at();
}

static void way_files(void)
{
	/* Reads of a plain file are no wait. */
	char bytes[64];
	int fd = open("/proc/self/exe", O_RDONLY);
	for (int i = 0; i < 500; i++)
		if (lseek(fd, i, SEEK_SET) != i || read(fd, bytes, sizeof(bytes)) <= 0)
			exit(1);
	close(fd);
	puts("spinning");
	fflush(stdout);
	spin(1500);
}

static void way_allocate(void)
{
	/* Computes and allocates, and never waits. */
	void *volatile kept;
	puts("spinning");
	fflush(stdout);
	for (int i = 0; i < 40; i++) {
		for (int k = 0; k < 200; k++) {
			kept = malloc(100000);
			free(kept);
		}
		spin(50);
	}
}

static void way_exec(const char *program)
{
	rest(10);
	tell("before", getpid());
	execl(program, program, "single", (char *)NULL);
	exit(1);
}

/* Executes itself so many times, each time with something to sample. */
static void way_sampled_exec(const char *program, const char *times_text)
{
	char left[24];
	long times = strtol(times_text, NULL, 10);
	rest(10);
	tell("left", times);
	spin(120);
	snprintf(left, sizeof(left), "%ld", times - 1);
	if (times > 0)
		execl(program, program, "sampled_exec", left, (char *)NULL);
	exit(times > 0);
}

static void way_child_program(const char *program)
{
	pid_t pid = fork();
	if (pid == 0) {
		execl(program, program, "single", (char *)NULL);
		_exit(1);
	}
	tell("child", pid);
	int status;
	waitpid(pid, &status, 0);
	tell("status", status);
}

static void way_descriptors(void)
{
	rest(10);
	fflush(stdout);
	tell("status", system("ls /proc/self/fd | wc -l"));
	be_looked_at();
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} ways[] = {
		{ "single", way_single },
		{ "exit_main", way_exit_main },
		{ "daemon", way_daemon },
		{ "fork", way_fork },
		{ "close_all", way_close_all },
		{ "drop", way_drop },
		{ "toggle", way_toggle },
		{ "children", way_children },
		{ "filter", way_filter },
		{ "sampled_filter", way_sampled_filter },
		{ "unshare", way_unshare },
		{ "sampled_unshare", way_sampled_unshare },
		{ "files", way_files },
		{ "allocate", way_allocate },
		{ "descriptors", way_descriptors },
	};
	for (size_t i = 0; argc > 1 && i < sizeof(ways) / sizeof(ways[0]); i++)
		if (strcmp(argv[1], ways[i].name) == 0)
			ways[i].run();
	if (argc > 1 && strcmp(argv[1], "exec") == 0)
		way_exec(argv[0]);
	if (argc > 2 && strcmp(argv[1], "sampled_exec") == 0)
		way_sampled_exec(argv[0], argv[2]);
	if (argc > 1 && strcmp(argv[1], "child_program") == 0)
		way_child_program(argv[0]);
	return 0;
}
