/* waits_contended.c - what a program may expect of locks that have to be waited for; the same lines with and without the library.
 *
 * Owners that die, waiters that are cancelled or jump away, handlers that wait, forks meanwhile, and mutexes whose memory is gone the
 * moment they are given back. Prints one line for each, "ok NAME" or "WRONG NAME".
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void report(bool right, const char *name)
{
	printf("%s %s\n", right ? "ok" : "WRONG", name);
	fflush(stdout);
}

static void in_thread(pthread_t *ret_thread, void *(*routine)(void *), void *argument)
{
	if (pthread_create(ret_thread, NULL, routine, argument) != 0)
		_exit(1);
}

/* Until the thread sleeps in the kernel: the locks that it waits for are held until then. */
static void await_sleep(const atomic_int *tid)
{
	char path[64], text[256], state = 'R';
	while (state != 'S') {
		usleep(500);
		snprintf(path, sizeof(path), "/proc/self/task/%d/stat", atomic_load(tid));
		FILE *file = fopen(path, "r");
		const char *end = file && fgets(text, sizeof(text), file) ? strrchr(text, ')') : NULL;
		if (file)
			fclose(file);
		if (end)
			state = end[2];
	}
}

/* ---- robust mutexes ---- */

static pthread_mutex_t robust;
static atomic_int waiter_tid;
static sem_t owner_may_die;

static void *own_and_die(void *unused)
{
	pthread_mutex_lock(&robust);
	sem_post(&owner_may_die);
	await_sleep(&waiter_tid);
	return unused;
}

static void *wait_for_owner(void *unused)
{
	static int results[2];
	(void)unused;
	sem_wait(&owner_may_die);
	atomic_store(&waiter_tid, (int)syscall(SYS_gettid));
	results[0] = pthread_mutex_lock(&robust);
	results[1] = pthread_mutex_unlock(&robust);
	return results;
}

static void check_robust(int protocol, const char *name)
{
	pthread_t owner, waiter;
	pthread_mutexattr_t attributes;
	void *results;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setprotocol(&attributes, protocol);
	pthread_mutex_init(&robust, &attributes);
	atomic_store(&waiter_tid, 0);
	sem_init(&owner_may_die, 0, 0);
	in_thread(&owner, own_and_die, NULL);
	in_thread(&waiter, wait_for_owner, NULL);
	pthread_join(owner, NULL);
	pthread_join(waiter, &results);
	int *result = results;
	report(result[0] == EOWNERDEAD && result[1] == 0 && pthread_mutex_lock(&robust) == ENOTRECOVERABLE, name);
}

/* ---- waiters that go away ---- */

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER, other = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t held_rwlock = PTHREAD_RWLOCK_INITIALIZER;
static atomic_int cleaned;

static void clean(void *unused)
{
	(void)unused;
	atomic_fetch_add(&cleaned, 1);
}

static void *wait_cancellable(void *unused)
{
	pthread_cleanup_push(clean, NULL);
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	atomic_store(&waiter_tid, (int)syscall(SYS_gettid));
	pthread_mutex_lock(&held);
	pthread_cleanup_pop(0);
	return unused;
}

static void check_cancelled(void)
{
	pthread_t waiter;
	void *result = NULL;
	for (int i = 0; i < 20; i++) {
		atomic_store(&waiter_tid, 0);
		pthread_mutex_lock(&held);
		in_thread(&waiter, wait_cancellable, NULL);
		await_sleep(&waiter_tid);
		pthread_cancel(waiter);
		pthread_join(waiter, &result);
		pthread_mutex_unlock(&held);
	}
	report(result == PTHREAD_CANCELED && atomic_load(&cleaned) == 20 && pthread_mutex_trylock(&held) == 0,
	       "waiters for a mutex, cancelled at once");
	pthread_mutex_unlock(&held);
}

static void *cancelled_timed(void *semaphore)
{
	struct timespec until = { 4000000000l, 0 };
	pthread_cancel(pthread_self());
	sem_timedwait(semaphore, &until);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	return NULL;
}

static void *cancelled_clock(void *semaphore)
{
	struct timespec until = { 4000000000l, 0 };
	pthread_cancel(pthread_self());
	sem_clockwait(semaphore, CLOCK_MONOTONIC, &until);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	return NULL;
}

/* Whether these act on it when they need not wait, is the C library's business. */
static void check_pending_cancellation(void *(*routine)(void *), const char *name)
{
	pthread_t thread;
	sem_t semaphore;
	void *result = NULL;
	int value = -1;
	sem_init(&semaphore, 0, 1);
	in_thread(&thread, routine, &semaphore);
	pthread_join(thread, &result);
	sem_getvalue(&semaphore, &value);
	printf("ok %s of a free semaphore and a pending cancellation: %s, %d left\n", name,
	       result == PTHREAD_CANCELED ? "cancelled" : "taken", value);
}

static __thread sigjmp_buf out;

static void jump(int number)
{
	(void)number;
	siglongjmp(out, 1);
}

static void *wait_and_jump(void *unused)
{
	for (volatile int i = 0; i < 2; i++) {
		if (sigsetjmp(out, 1))
			continue;
		atomic_store(&waiter_tid, (int)syscall(SYS_gettid));
		if (i == 0)
			pthread_mutex_lock(&held);
		else
			pthread_rwlock_rdlock(&held_rwlock);
	}
	return unused;
}

static void check_jumps(void)
{
	struct sigaction action = { .sa_handler = jump };
	pthread_t waiter;
	sigaction(SIGUSR1, &action, NULL);
	pthread_mutex_lock(&held);
	pthread_rwlock_wrlock(&held_rwlock);
	atomic_store(&waiter_tid, 0);
	in_thread(&waiter, wait_and_jump, NULL);
	for (int i = 0; i < 2; i++) {
		await_sleep(&waiter_tid);
		atomic_store(&waiter_tid, 0);
		pthread_kill(waiter, SIGUSR1);
		if (i == 0)
			while (!atomic_load(&waiter_tid))
				usleep(100);
	}
	pthread_join(waiter, NULL);
	pthread_mutex_unlock(&held);
	report(pthread_rwlock_unlock(&held_rwlock) == 0, "jumps out of waits for locks");
}

/* ---- handlers that wait ---- */

static atomic_int handled;

static void wait_in_handler(int number)
{
	(void)number;
	pthread_mutex_lock(&other);
	pthread_mutex_unlock(&other);
	atomic_fetch_add(&handled, 1);
}

static void *wait_twice(void *unused)
{
	atomic_store(&waiter_tid, (int)syscall(SYS_gettid));
	pthread_mutex_lock(&held);
	pthread_mutex_unlock(&held);
	return unused;
}

static void check_handlers(void)
{
	struct sigaction action = { .sa_handler = wait_in_handler };
	pthread_t waiter;
	sigaction(SIGUSR1, &action, NULL);
	pthread_mutex_lock(&held);
	pthread_mutex_lock(&other);
	atomic_store(&waiter_tid, 0);
	in_thread(&waiter, wait_twice, NULL);
	await_sleep(&waiter_tid);
	pthread_kill(waiter, SIGUSR1);
	usleep(5000);
	pthread_mutex_unlock(&other);
	while (!atomic_load(&handled))
		usleep(100);
	pthread_mutex_unlock(&held);
	report(pthread_join(waiter, NULL) == 0, "a handler that waits for a lock in a wait for another");
}

static void sleep_in_handler(int number)
{
	(void)number;
	usleep(100);
	atomic_fetch_add(&handled, 1);
}

/* A stack just large enough, with a page below it that must not be touched. */
static void check_small_stack(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size = ((size_t)sysconf(_SC_MINSIGSTKSZ) + 2048 + page - 1) / page * page;
	char *pages = mmap(NULL, page + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t small = { .ss_sp = pages + page, .ss_size = size };
	stack_t none = { .ss_flags = SS_DISABLE };
	struct sigaction action = { .sa_handler = sleep_in_handler, .sa_flags = SA_ONSTACK };
	mprotect(pages, page, PROT_NONE);
	sigaltstack(&small, NULL);
	sigaction(SIGUSR2, &action, NULL);
	atomic_store(&handled, 0);
	for (int i = 0; i < 10; i++)
		raise(SIGUSR2);
	sigaltstack(&none, NULL);
	munmap(pages, page + size);
	report(atomic_load(&handled) == 10, "a handler that waits on a small stack of its own");
}

/* ---- forks ---- */

static void lock_held(void)
{
	pthread_mutex_lock(&other);
}

static void unlock_held(void)
{
	pthread_mutex_unlock(&other);
}

static void check_forks(void)
{
	pthread_t waiter;
	int status = -1;
	pthread_atfork(lock_held, unlock_held, unlock_held);
	pthread_mutex_lock(&held);
	atomic_store(&waiter_tid, 0);
	in_thread(&waiter, wait_twice, NULL);
	await_sleep(&waiter_tid);
	pid_t child = fork();
	if (child == 0) {
		/* In the child nobody waits for it any more. */
		int result = pthread_mutex_unlock(&held) || pthread_mutex_lock(&held) || pthread_mutex_unlock(&held);
		_exit(result ? 1 : 9);
	}
	waitpid(child, &status, 0);
	pthread_mutex_unlock(&held);
	pthread_join(waiter, NULL);
	report(WIFEXITED(status) && WEXITSTATUS(status) == 9, "a fork while a thread waits for a lock");
}

/* ---- memory that goes away ---- */

struct shared {
	pthread_mutex_t mutex;
	int users;
};

/* Who is the last to use it unmaps it: nothing may be read of it once it has been unlocked. */
static void *use_and_release(void *argument)
{
	struct shared *shared = argument;
	pthread_mutex_lock(&shared->mutex);
	int left = --shared->users;
	if (left)
		sched_yield();
	pthread_mutex_unlock(&shared->mutex);
	if (left == 0)
		munmap(shared, sizeof(*shared));
	return NULL;
}

static void check_lifetime(void)
{
	for (int i = 0; i < 500; i++) {
		pthread_t threads[3];
		struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		pthread_mutex_init(&shared->mutex, NULL);
		shared->users = 3;
		for (int t = 0; t < 3; t++)
			in_thread(&threads[t], use_and_release, shared);
		for (int t = 0; t < 3; t++)
			pthread_join(threads[t], NULL);
	}
	report(true, "mutexes whose memory goes with the last unlock");
}

/* ---- errno ---- */

static void *take_turns(void *wrong)
{
	errno = 77;
	for (int i = 0; i < 2000; i++) {
		pthread_mutex_lock(&held);
		for (volatile int work = 0; work < 200; work++)
			continue;
		pthread_mutex_unlock(&held);
	}
	if (errno != 77)
		atomic_store((atomic_int *)wrong, 1);
	return NULL;
}

static void check_errno(void)
{
	pthread_t threads[3];
	atomic_int wrong = 0;
	for (int t = 0; t < 3; t++)
		in_thread(&threads[t], take_turns, &wrong);
	for (int t = 0; t < 3; t++)
		pthread_join(threads[t], NULL);
	report(!atomic_load(&wrong), "errno untouched by contended locks");
}

int main(void)
{
	check_robust(PTHREAD_PRIO_NONE, "an owner that dies while it is waited for");
	check_robust(PTHREAD_PRIO_INHERIT, "the same, inheriting priority");
	check_cancelled();
	check_pending_cancellation(cancelled_timed, "sem_timedwait");
	check_pending_cancellation(cancelled_clock, "sem_clockwait");
	check_jumps();
	check_handlers();
	check_small_stack();
	check_forks();
	check_lifetime();
	check_errno();
	return 0;
}
