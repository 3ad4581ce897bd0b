/* waits_semantics.c - what a program may expect of the calls that are wrapped; the same lines with and without the library.
 *
 * Cancellation in each wait, jumps out of waits, pthread_exit from a deep call, kinds of mutexes, errno, calls of syscall() that
 * return twice. Prints one line for each, "ok NAME" or "WRONG NAME".
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static int silent[2];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t empty, plenty;

static void report(int right, const char *name)
{
	printf("%s %s\n", right ? "ok" : "WRONG", name);
}

/* ---- cancellation ---- */

static void wait_read(void)
{
	char byte;
	(void)!read(silent[0], &byte, 1);
}

static void wait_poll(void)
{
	struct pollfd fd = { .fd = silent[0], .events = POLLIN };
	poll(&fd, 1, -1);
}

static void wait_sem(void)
{
	sem_wait(&empty);
}

static void wait_nanosleep(void)
{
	struct timespec time = { 1000, 0 };
	nanosleep(&time, NULL);
}

static void wait_pause(void)
{
	pause();
}

static void unlock(void *unused)
{
	(void)unused;
	pthread_mutex_unlock(&mutex);
}

static void wait_cond(void)
{
	pthread_mutex_lock(&mutex);
	pthread_cleanup_push(unlock, NULL);
	pthread_cond_wait(&condition, &mutex);
	pthread_cleanup_pop(1);
}

/* Never has to wait, and is a cancellation point all the same. */
static void wait_sem_plenty(void)
{
	for (;;) {
		sem_post(&plenty);
		sem_wait(&plenty);
	}
}

struct cancelling {
	const char *name;
	void (*wait)(void);
};

static const struct cancelling cancellings[] = {
	{ "cancel read", wait_read },
	{ "cancel poll", wait_poll },
	{ "cancel sem_wait", wait_sem },
	{ "cancel nanosleep", wait_nanosleep },
	{ "cancel pause", wait_pause },
	{ "cancel pthread_cond_wait", wait_cond },
	{ "cancel sem_wait that need not wait", wait_sem_plenty },
};

static atomic_int begun, cleaned;

static void clean(void *unused)
{
	(void)unused;
	atomic_fetch_add(&cleaned, 1);
}

static void *cancelled(void *argument)
{
	const struct cancelling *cancelling = argument;
	pthread_cleanup_push(clean, NULL);
	atomic_fetch_add(&begun, 1);
	cancelling->wait();
	pthread_cleanup_pop(0);
	return NULL;
}

static void check_cancellation(void)
{
	for (size_t i = 0; i < sizeof(cancellings) / sizeof(cancellings[0]); i++) {
		pthread_t thread;
		void *result = NULL;
		atomic_store(&begun, 0);
		atomic_store(&cleaned, 0);
		pthread_create(&thread, NULL, cancelled, (void *)(uintptr_t)&cancellings[i]);
		while (!atomic_load(&begun))
			usleep(100);
		usleep(3000);
		pthread_cancel(thread);
		pthread_join(thread, &result);
		report(result == PTHREAD_CANCELED && atomic_load(&cleaned) == 1, cancellings[i].name);
	}
	report(pthread_mutex_trylock(&mutex) == 0, "the mutex of a cancelled pthread_cond_wait was given back");
	pthread_mutex_unlock(&mutex);
}

/* ---- exits ---- */

/* The compiler is not to know that it does not return. */
static void (*volatile leave)(void *) = pthread_exit;

static __attribute__((noinline)) void exit_deep(int depth)
{
	volatile char used[32];
	used[0] = (char)depth;
	if (depth)
		exit_deep(depth - 1);
	else
		leave((void *)42);
	(void)used[0];
}

static void *exiting(void *unused)
{
	(void)unused;
	pthread_cleanup_push(clean, NULL);
	exit_deep(20);
	pthread_cleanup_pop(0);
	return NULL;
}

static int exiting_thrd(void *unused)
{
	(void)unused;
	thrd_exit(7);
}

static void check_exits(void)
{
	pthread_t thread;
	thrd_t other;
	void *result = NULL;
	int code = 0;
	atomic_store(&cleaned, 0);
	pthread_create(&thread, NULL, exiting, NULL);
	pthread_join(thread, &result);
	report(result == (void *)42 && atomic_load(&cleaned) == 1, "pthread_exit from a deep call");
	thrd_create(&other, exiting_thrd, NULL);
	report(thrd_join(other, &code) == thrd_success && code == 7, "thrd_exit");
	pthread_attr_t small;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 16384);
	report(pthread_create(&thread, &small, exiting, NULL) == 0 && pthread_join(thread, &result) == 0, "smallest stack");
	report(pthread_join(pthread_self(), NULL) == EDEADLK, "joining oneself");
}

/* ---- jumps ---- */

static sigjmp_buf out;
static volatile int jumps;

static void jump(int number)
{
	(void)number;
	jumps++;
	siglongjmp(out, 1);
}

static void check_jumps(void)
{
	struct sigaction action = { .sa_handler = jump };
	struct itimerval time = { { 0, 0 }, { 0, 2000 } };
	char byte;
	sigaction(SIGALRM, &action, NULL);
	for (volatile int i = 0; i < 50; i++) {
		if (sigsetjmp(out, 1))
			continue;
		setitimer(ITIMER_REAL, &time, NULL);
		(void)!read(silent[0], &byte, 1);
	}
	report(jumps == 50, "siglongjmp out of read");
	jmp_buf plain;
	volatile int rounds = 0;
	if (setjmp(plain) < 5) {
		rounds++;
		longjmp(plain, rounds);
	}
	report(rounds == 5, "longjmp");
}

/* ---- locks ---- */

static pthread_mutex_t made(int type, int robust)
{
	pthread_mutexattr_t attributes;
	pthread_mutex_t result;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, type);
	pthread_mutexattr_setrobust(&attributes, robust);
	pthread_mutex_init(&result, &attributes);
	return result;
}

static pthread_mutex_t robust_mutex;

static void *die_holding(void *unused)
{
	pthread_mutex_lock(&robust_mutex);
	return unused;
}

static void check_locks(void)
{
	pthread_mutex_t recursive = made(PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_STALLED);
	pthread_mutex_t checked = made(PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_STALLED);
	report(!pthread_mutex_lock(&recursive) && !pthread_mutex_lock(&recursive) && !pthread_mutex_unlock(&recursive) &&
	               !pthread_mutex_unlock(&recursive) && pthread_mutex_unlock(&recursive) == EPERM,
	       "recursive mutex");
	report(!pthread_mutex_lock(&checked) && pthread_mutex_lock(&checked) == EDEADLK, "checked mutex");

	pthread_t thread;
	robust_mutex = made(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST);
	pthread_create(&thread, NULL, die_holding, NULL);
	pthread_join(thread, NULL);
	report(pthread_mutex_lock(&robust_mutex) == EOWNERDEAD, "mutex of a dead owner");
	pthread_mutex_unlock(&robust_mutex);
	report(pthread_mutex_lock(&robust_mutex) == ENOTRECOVERABLE, "mutex that cannot be recovered");

	pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
	report(!pthread_rwlock_wrlock(&lock) && pthread_rwlock_rdlock(&lock) == EDEADLK,
	       "read lock of one's own write lock");
	struct timespec invalid = { 0, 2000000000 }, past = { 1, 0 };
	report(sem_timedwait(&plenty, &invalid) < 0 && errno == EINVAL, "invalid time for a semaphore that is free");
	report(pthread_mutex_timedlock(&checked, &past) == EDEADLK, "timed lock of one's own checked mutex");
	report(sem_timedwait(&empty, &past) < 0 && errno == ETIMEDOUT, "time that is over");
}

/* ---- errno and syscall() ---- */

static void check_errno(void)
{
	char byte;
	errno = 77;
	sem_post(&plenty);
	sem_wait(&plenty);
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
	usleep(1);
	(void)!write(silent[1], "x", 1);
	(void)!read(silent[0], &byte, 1);
	report(errno == 77, "errno untouched by success");
	report(read(-1, &byte, 1) == -1 && errno == EBADF, "errno of a failure");
	report(syscall(SYS_gettid) == gettid(), "syscall");
	report(syscall(-1) == -1 && errno == ENOSYS, "syscall that does not exist");
	int status = 0;
	pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (child == 0)
		_exit(9);
	report(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 9, "syscall that returns twice");
	int word = 5;
	report(syscall(SYS_futex, &word, 128, 4, NULL, NULL, 0) == -1 && errno == EAGAIN, "futex of another value");
	struct timespec time = { 0, 1000000 };
	report(syscall(SYS_futex, &word, 128, 5, &time, NULL, 0) == -1 && errno == ETIMEDOUT, "futex with a time");
	int pair[2];
	char bytes[8];
	report(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair) && send(pair[0], "abc", 3, 0) == 3 &&
	               recv(pair[1], bytes, sizeof(bytes), 0) == 3 && !memcmp(bytes, "abc", 3),
	       "socket");
}

int main(void)
{
	if (pipe(silent) < 0)
		return 1;
	sem_init(&empty, 0, 0);
	sem_init(&plenty, 0, 1);
	check_errno();
	check_locks();
	check_cancellation();
	check_exits();
	check_jumps();
	return 0;
}
