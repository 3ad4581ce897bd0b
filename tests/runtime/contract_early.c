/* contract_early.c - a library whose constructor runs before that of anybody else, with locks, waits, a thread and a fork; and whose atfork
 * handlers lock and unlock with every fork of the program, as those of many libraries do.
 *
 * It is needed by contract.c, so a preloaded library is initialized after it.
 */
#include "contract.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, atfork_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER, atfork_rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t semaphore, atfork_semaphore;
static int constructed_wrong, prepared, in_parent;
static _Atomic int contended;

static struct timespec soon(long ns)
{
	struct timespec time;
	clock_gettime(CLOCK_REALTIME, &time);
	time.tv_sec += (time.tv_nsec + ns) / 1000000000;
	time.tv_nsec = (time.tv_nsec + ns) % 1000000000;
	return time;
}

static void wrong(int line)
{
	if (!constructed_wrong)
		constructed_wrong = line;
}
#define OR_WRONG(condition_) ((condition_) ? (void)0 : wrong(__LINE__))

static void prepare(void)
{
	pthread_mutex_lock(&atfork_mutex);
	pthread_rwlock_rdlock(&atfork_rwlock);
	sem_wait(&atfork_semaphore);
	free(malloc(1000));
	prepared++;
}

static void parent(void)
{
	sem_post(&atfork_semaphore);
	pthread_rwlock_unlock(&atfork_rwlock);
	pthread_mutex_unlock(&atfork_mutex);
	in_parent++;
}

static void child(void)
{
	struct timespec until = soon(100000);
	sem_post(&atfork_semaphore);
	pthread_rwlock_unlock(&atfork_rwlock);
	pthread_cond_timedwait(&condition, &atfork_mutex, &until);
	pthread_mutex_unlock(&atfork_mutex);
	pthread_mutex_init(&mutex, NULL);
	if (pthread_mutex_lock(&atfork_mutex) || pthread_mutex_unlock(&atfork_mutex))
		_exit(90);
	free(malloc(1000));
}

static void *contend(void *unused)
{
	(void)unused;
	contended = 1;
	pthread_mutex_lock(&mutex);
	contended = 2;
	pthread_mutex_unlock(&mutex);
	sem_post(&semaphore);
	return &mutex;
}

__attribute__((constructor(101))) static void construct(void)
{
	struct timespec until = soon(2000000), moment = { 0, 3000000 };
	pthread_t thread;
	void *result = NULL;
	errno = CANARY;
	OR_WRONG(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_trylock(&mutex) == EBUSY);
	OR_WRONG(pthread_cond_timedwait(&condition, &mutex, &until) == ETIMEDOUT);
	OR_WRONG(pthread_rwlock_rdlock(&rwlock) == 0 && pthread_rwlock_unlock(&rwlock) == 0);
	OR_WRONG(pthread_rwlock_wrlock(&rwlock) == 0 && pthread_rwlock_unlock(&rwlock) == 0);
	OR_WRONG(sem_init(&semaphore, 0, 1) == 0 && sem_wait(&semaphore) == 0 && sem_init(&atfork_semaphore, 0, 1) == 0);
	OR_WRONG(errno == CANARY);
	OR_WRONG(pthread_create(&thread, NULL, contend, NULL) == 0);
	while (!contended)
		nanosleep(&moment, NULL);
	nanosleep(&moment, NULL);
	OR_WRONG(contended == 1);
	OR_WRONG(pthread_mutex_unlock(&mutex) == 0 && sem_wait(&semaphore) == 0);
	OR_WRONG(contended == 2);
	OR_WRONG(pthread_join(thread, &result) == 0 && result == &mutex);
	pid_t pid = fork();
	if (pid == 0)
		_exit(pthread_mutex_lock(&mutex) || pthread_mutex_unlock(&mutex) ? 1 : 50);
	int status = 0;
	OR_WRONG(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 50);
	OR_WRONG(pthread_atfork(prepare, parent, child) == 0);
}

/* At the very end the same things still work. */
__attribute__((destructor)) static void destruct(void)
{
	struct timespec until = soon(1000000);
	if (pthread_mutex_lock(&mutex) || pthread_cond_timedwait(&condition, &mutex, &until) != ETIMEDOUT ||
	    pthread_mutex_unlock(&mutex) || sem_timedwait(&semaphore, &until) == 0 || pthread_rwlock_wrlock(&rwlock) ||
	    pthread_rwlock_unlock(&rwlock))
		_exit(91);
}

__attribute__((visibility("default"))) void contract_early(void)
{
	printf("%searly: constructor, first wrong line %d\n", constructed_wrong ? "WRONG " : "", constructed_wrong);
	pid_t pid = fork();
	if (pid == 0)
		exit(51); /* with the destructor */
	int status = 0;
	printf("%searly: fork with handlers\n",
	       waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 51 || prepared != in_parent ? "WRONG " : "");
	fflush(stdout);
}
