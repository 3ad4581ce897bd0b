/* waits_trace.c - waits whose traces in block, mutex and wait are known: some must be there, some must not. Run with rate 1 (every wait).
 *
 * What each function is called says what must hold, in waits_trace.py. Prints "done", then reads a line and ends.
 */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

/* Its frame is to stand in the stack: the call in it must not be the last thing it does, and no two of them may be the same to the
 * compiler, which would make one of them. */
#define NAMED static __attribute__((noinline))
#define STAYS __asm__ volatile("" : : "i"(__LINE__) : "memory")

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static mtx_t mtx;
static atomic_int waiter_tid, has_jumped, is_over;
static __thread sigjmp_buf out;

static void await_sleep(void)
{
	char path[64], text[256], state = 'R';
	while (state != 'S') {
		usleep(500);
		snprintf(path, sizeof(path), "/proc/self/task/%d/stat", atomic_load(&waiter_tid));
		FILE *file = fopen(path, "r");
		const char *end = file && fgets(text, sizeof(text), file) ? strrchr(text, ')') : NULL;
		if (file)
			fclose(file);
		if (end)
			state = end[2];
	}
}

static void begin(void)
{
	atomic_store(&waiter_tid, (int)syscall(SYS_gettid));
}

/* ---- waits that come to their end ---- */

NAMED void waited_mutex(void)
{
	pthread_mutex_lock(&mutex);
	STAYS;
}

NAMED void charged_mutex(void)
{
	pthread_mutex_unlock(&mutex);
	STAYS;
}

NAMED void waited_timedlock(void)
{
	struct timespec until = { 4000000000l, 0 };
	pthread_mutex_timedlock(&mutex, &until);
	STAYS;
}

NAMED void charged_timedlock(void)
{
	pthread_mutex_unlock(&mutex);
	STAYS;
}

NAMED void waited_rwlock(void)
{
	pthread_rwlock_rdlock(&rwlock);
	STAYS;
}

NAMED void charged_rwlock(void)
{
	pthread_rwlock_unlock(&rwlock);
	STAYS;
}

NAMED void waited_mtx(void)
{
	mtx_lock(&mtx);
	STAYS;
}

NAMED void charged_mtx(void)
{
	mtx_unlock(&mtx);
	STAYS;
}

/* The mutex is given back by a wait for a condition. */
NAMED void charged_cond(void)
{
	struct timespec past = { 1, 0 };
	pthread_cond_timedwait(&condition, &mutex, &past);
	STAYS;
}

static void *wait_mutex(void *unused)
{
	begin();
	waited_mutex();
	pthread_mutex_unlock(&mutex);
	return unused;
}

static void *wait_timedlock(void *unused)
{
	begin();
	waited_timedlock();
	pthread_mutex_unlock(&mutex);
	return unused;
}

static void *wait_rwlock(void *unused)
{
	begin();
	waited_rwlock();
	pthread_rwlock_unlock(&rwlock);
	return unused;
}

static void *wait_mtx(void *unused)
{
	begin();
	waited_mtx();
	mtx_unlock(&mtx);
	return unused;
}

static pthread_t started(void *(*routine)(void *))
{
	pthread_t thread;
	atomic_store(&waiter_tid, 0);
	if (pthread_create(&thread, NULL, routine, NULL) != 0)
		_exit(1);
	await_sleep();
	return thread;
}

static void check_charges(void)
{
	pthread_mutex_lock(&mutex);
	pthread_t waiter = started(wait_mutex);
	charged_mutex();
	pthread_join(waiter, NULL);
	pthread_mutex_lock(&mutex);
	waiter = started(wait_timedlock);
	charged_timedlock();
	pthread_join(waiter, NULL);
	pthread_rwlock_wrlock(&rwlock);
	waiter = started(wait_rwlock);
	charged_rwlock();
	pthread_join(waiter, NULL);
	mtx_init(&mtx, mtx_plain);
	mtx_lock(&mtx);
	waiter = started(wait_mtx);
	charged_mtx();
	pthread_join(waiter, NULL);
	pthread_mutex_lock(&mutex);
	waiter = started(wait_mutex);
	charged_cond();
	pthread_mutex_unlock(&mutex);
	pthread_join(waiter, NULL);
}

/* ---- waits that do not ---- */

static void jump(int number)
{
	(void)number;
	siglongjmp(out, 1);
}

NAMED void left_by_jump_mutex(void)
{
	pthread_mutex_lock(&mutex);
	STAYS;
}

NAMED void left_by_jump_rwlock(void)
{
	pthread_rwlock_wrlock(&rwlock);
	STAYS;
}

NAMED void left_by_cancellation(void)
{
	pthread_mutex_lock(&mutex);
	STAYS;
}

NAMED void left_by_cancellation_sem(void)
{
	sem_wait(&semaphore);
	STAYS;
}

static void *leave_mutex(void *unused)
{
	if (!sigsetjmp(out, 1)) {
		begin();
		left_by_jump_mutex();
	}
	atomic_store(&has_jumped, 1);
	while (!atomic_load(&is_over))
		usleep(500);
	return unused;
}

static void *leave_rwlock(void *unused)
{
	if (!sigsetjmp(out, 1)) {
		begin();
		left_by_jump_rwlock();
	}
	atomic_store(&has_jumped, 1);
	while (!atomic_load(&is_over))
		usleep(500);
	return unused;
}

static void *leave_cancelled(void *unused)
{
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	begin();
	left_by_cancellation();
	return unused;
}

static void *leave_sem(void *unused)
{
	begin();
	left_by_cancellation_sem();
	return unused;
}

/* Nobody waits any more when these are called: a waiter that had left a trace in the table would be charged for. */
NAMED void not_charged_jump(void)
{
	pthread_mutex_unlock(&mutex);
	STAYS;
}

NAMED void not_charged_rwlock(void)
{
	pthread_rwlock_unlock(&rwlock);
	STAYS;
}

NAMED void not_charged_cancellation(void)
{
	pthread_mutex_unlock(&mutex);
	STAYS;
}

static void check_leavers(void)
{
	struct sigaction action = { .sa_handler = jump };
	sigaction(SIGUSR1, &action, NULL);
	pthread_mutex_lock(&mutex);
	pthread_t waiter = started(leave_mutex);
	pthread_kill(waiter, SIGUSR1);
	while (!atomic_load(&has_jumped))
		usleep(500);
	atomic_store(&is_over, 1);
	pthread_join(waiter, NULL);
	not_charged_jump();
	atomic_store(&has_jumped, 0);
	atomic_store(&is_over, 0);
	pthread_rwlock_rdlock(&rwlock);
	waiter = started(leave_rwlock);
	pthread_kill(waiter, SIGUSR1);
	while (!atomic_load(&has_jumped))
		usleep(500);
	atomic_store(&is_over, 1);
	pthread_join(waiter, NULL);
	not_charged_rwlock();
	pthread_mutex_lock(&mutex);
	waiter = started(leave_cancelled);
	pthread_cancel(waiter);
	pthread_join(waiter, NULL);
	not_charged_cancellation();
	sem_init(&semaphore, 0, 0);
	waiter = started(leave_sem);
	pthread_cancel(waiter);
	pthread_join(waiter, NULL);
}

/* ---- what is no wait ---- */

NAMED void no_wait(void)
{
	struct timespec until = { 4000000000l, 0 };
	int word = 5;
	/* A lock that a waiter has jumped away from is not what it was. */
	pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;
	pthread_rwlock_t fresh_rwlock = PTHREAD_RWLOCK_INITIALIZER;
	pthread_mutex_lock(&fresh);
	pthread_mutex_unlock(&fresh);
	pthread_mutex_timedlock(&fresh, &until);
	pthread_mutex_unlock(&fresh);
	pthread_rwlock_timedwrlock(&fresh_rwlock, &until);
	pthread_rwlock_unlock(&fresh_rwlock);
	sem_post(&semaphore);
	sem_timedwait(&semaphore, &until);
	mtx_timedlock(&mtx, &until);
	mtx_unlock(&mtx);
	syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 4, NULL, NULL, 0);
	STAYS;
}

/* Refused for what it is. */
NAMED void refused(void)
{
	pthread_mutexattr_t attributes;
	pthread_mutex_t checked;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(&checked, &attributes);
	pthread_mutex_lock(&checked);
	pthread_mutex_lock(&checked);
	pthread_mutex_unlock(&checked);
	STAYS;
}

NAMED void waited_nanosleep(void)
{
	struct timespec time = { 0, 1000000 };
	nanosleep(&time, NULL);
	STAYS;
}

NAMED void waited_futex(void)
{
	struct timespec time = { 0, 1000000 };
	int word = 5;
	syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 5, &time, NULL, 0);
	STAYS;
}

int main(void)
{
	check_charges();
	check_leavers();
	no_wait();
	refused();
	waited_nanosleep();
	waited_futex();
	printf("done\n");
	fflush(stdout);
	getchar();
	return 0;
}
