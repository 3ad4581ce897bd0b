/* serve_host.c - a host that the hostile clients of serve_http.py must not be able to harm.
 *
 * It never touches SIGPIPE, counts in a loop, and obeys lines on its standard input: "http" accepts one connection at its own socket
 * and gives it to cpprof_http, "write PROFILE DEBUG FILE" calls cpprof_write, "beat" prints how far it has counted, "quit"; and for
 * serve_profiles.py: "burn MS" has a thread compute for so long, "burned" waits for it, "keep COUNT" allocates so many blocks, "hold NAME"
 * has one thread hold a lock of that name and another wait for it until "let_go", "name NAME" names it anew, "start RATE FILE" and
 * "stop" are cpprof_cpu_start and cpprof_cpu_stop, "stop_elsewhere" stops in another thread, "fork" tries both in a child, "filter"
 * installs a filter of system calls that kills when a signal handler returns, and computes on.
 * The library is looked up at run time: without it, it says so and ends.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int (*serve)(const char *);
static size_t (*address)(char *, size_t);
static int (*http)(int);
static int (*write_profile)(const char *, int, int);
static int (*cpu_start)(int);
static int (*cpu_stop)(void);
static int (*cpu_rate)(int);
static int (*lock_name)(const void *, const char *);
static _Atomic unsigned long beats;

static void *beat(void *unused)
{
	for (;;) {
		atomic_fetch_add(&beats, 1);
		usleep(1000);
	}
	return unused;
}

static void find(const char *name, void *ret_function)
{
	void *function = dlsym(RTLD_DEFAULT, name);
	if (!function) {
		printf("no %s\n", name);
		exit(1);
	}
	memcpy(ret_function, &function, sizeof(function));
}

static int listen_at_loopback(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) || listen(fd, 8) ||
	    getsockname(fd, (struct sockaddr *)&at, &size)) {
		perror("listen");
		exit(1);
	}
	printf("own 127.0.0.1:%d\n", ntohs(at.sin_port));
	return fd;
}

static void serve_one(int listener)
{
	int fd = accept(listener, NULL, NULL);
	int flags = fcntl(fd, F_GETFL);
	errno = 77;
	int result = http(fd);
	printf("http %d errno %d flags %s\n", result, errno, fcntl(fd, F_GETFL) == flags ? "same" : "changed");
	close(fd);
}

static void write_to(const char *arguments)
{
	char profile[64], file[1024];
	int debug;
	if (sscanf(arguments, "%63s %d %1023s", profile, &debug, file) != 3)
		return;
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	errno = 77;
	int result = write_profile(profile, fd, debug);
	printf("write %d errno %d\n", result, errno);
	close(fd);
}

/* --- for serve_profiles.py ------------------------------------------------------------------------------------------ */

static pthread_t burner, holder, waiter;
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static volatile unsigned long sum;
static _Atomic int may_go, is_held;

static __attribute__((noinline)) void burn_here(long milliseconds)
{
	struct timespec begin, now;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		for (unsigned long i = 0; i < 100000; i++)
			sum += i * i;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 < milliseconds);
}

static void *burn(void *milliseconds)
{
	pthread_setname_np(pthread_self(), "burner");
	burn_here(*(long *)milliseconds);
	return NULL;
}

static void start_burning(long milliseconds)
{
	static long how_long;
	how_long = milliseconds;
	printf("burn %d\n", pthread_create(&burner, NULL, burn, &how_long));
}

static __attribute__((noinline)) void keep_here(long count)
{
	static void *volatile kept;
	for (long i = 0; i < count; i++)
		kept = malloc(1000);
	printf("keep %d\n", kept != NULL);
}

static void *hold(void *unused)
{
	pthread_mutex_lock(&held);
	atomic_store(&is_held, 1);
	while (!atomic_load(&may_go))
		usleep(1000);
	pthread_mutex_unlock(&held);
	return unused;
}

static __attribute__((noinline)) void *wait_here(void *unused)
{
	pthread_mutex_lock(&held);
	pthread_mutex_unlock(&held);
	return unused;
}

static void hold_lock(char *name)
{
	name[strcspn(name, "\n")] = '\0';
	int result = lock_name(&held, name);
	/* The holder has the lock before the waiter asks for it. */
	int failed = pthread_create(&holder, NULL, hold, NULL);
	while (!failed && !atomic_load(&is_held))
		usleep(1000);
	failed |= pthread_create(&waiter, NULL, wait_here, NULL);
	printf("hold %d %d\n", result, failed);
}

static void let_go(void)
{
	atomic_store(&may_go, 1);
	printf("let_go %d\n", pthread_join(holder, NULL) | pthread_join(waiter, NULL));
}

static void name_lock(char *name)
{
	name[strcspn(name, "\n")] = '\0';
	printf("name %d\n", lock_name(&held, name));
}

static void start_to(const char *arguments)
{
	static int fd = -1;
	char file[1024];
	int rate;
	if (sscanf(arguments, "%d %1023s", &rate, file) != 2)
		return;
	if (fd >= 0)
		close(fd);
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	errno = 77;
	int former = cpu_rate(rate), now = cpu_rate(-1), result = cpu_start(fd), again = cpu_start(fd);
	printf("start %d %d %d %d errno %d\n", result, again, former, now, errno);
}

static void *stop(void *unused)
{
	errno = 77;
	int result = cpu_stop();
	printf("stop %d errno %d\n", result, errno);
	return unused;
}

/* The parent's profile is none of the child's, which may take its own. */
static void stop_in_child(void)
{
	int status = -1;
	pid_t child = fork();
	if (child == 0) {
		int first = cpu_stop(), start = cpu_start(open("/dev/null", O_WRONLY));
		burn_here(20);
		_exit((first != -ESRCH) | (start != 0) << 1 | (cpu_stop() != 0) << 2 | (cpu_stop() != -ESRCH) << 3);
	}
	waitpid(child, &status, 0);
	printf("fork %d\n", status);
}

static void filter_signals(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };
	burn_here(200);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	int result = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
	burn_here(300);
	printf("filter %d\n", result);
}

static void obey(char *line)
{
	pthread_t thread;
	if (strncmp(line, "burn ", 5) == 0)
		start_burning(strtol(line + 5, NULL, 10));
	else if (strcmp(line, "burned\n") == 0)
		printf("burned %d\n", pthread_join(burner, NULL));
	else if (strncmp(line, "keep ", 5) == 0)
		keep_here(strtol(line + 5, NULL, 10));
	else if (strncmp(line, "hold ", 5) == 0)
		hold_lock(line + 5);
	else if (strncmp(line, "name ", 5) == 0)
		name_lock(line + 5);
	else if (strcmp(line, "let_go\n") == 0)
		let_go();
	else if (strncmp(line, "start ", 6) == 0)
		start_to(line + 6);
	else if (strcmp(line, "stop\n") == 0)
		stop(NULL);
	else if (strcmp(line, "stop_elsewhere\n") == 0 && pthread_create(&thread, NULL, stop, NULL) == 0)
		pthread_join(thread, NULL);
	else if (strcmp(line, "filter\n") == 0)
		filter_signals();
	else if (strcmp(line, "fork\n") == 0)
		stop_in_child();
}

int main(void)
{
	char line[2048], where[128];
	pthread_t thread;
	setvbuf(stdout, NULL, _IOLBF, 0);
	find("cpprof_serve", &serve);
	find("cpprof_address", &address);
	find("cpprof_http", &http);
	find("cpprof_write", &write_profile);
	find("cpprof_cpu_start", &cpu_start);
	find("cpprof_cpu_stop", &cpu_stop);
	find("cpprof_cpu_rate", &cpu_rate);
	find("cpprof_lock_name", &lock_name);
	if (pthread_create(&thread, NULL, beat, NULL))
		return 1;
	int result = serve("127.0.0.1:0");
	address(where, sizeof(where));
	printf("serve %d %s\n", result, where);
	int listener = listen_at_loopback();
	while (fgets(line, sizeof(line), stdin)) {
		if (strcmp(line, "http\n") == 0)
			serve_one(listener);
		else if (strncmp(line, "write ", 6) == 0)
			write_to(line + 6);
		else if (strcmp(line, "beat\n") == 0)
			printf("beat %lu\n", atomic_load(&beats));
		else if (strcmp(line, "quit\n") == 0)
			break;
		else
			obey(line);
	}
	return 0;
}
