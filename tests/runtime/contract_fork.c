/* contract_fork.c - forks while other threads wait for locks: the child has the use of all that its only thread held, and of everything new.
 * The atfork handlers of contract_early.c lock and unlock on the way.
 */
#include "contract.h"

#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER, others = PTHREAD_MUTEX_INITIALIZER,
					   meeting = PTHREAD_MUTEX_INITIALIZER;
/* Read locks, since glibc knows a writer by its thread id, which a child's is not. The second has a reader waiting who is
 * counted in it, but is not there in the child: of no use to it. */
static pthread_rwlock_t read_locked = PTHREAD_RWLOCK_INITIALIZER, waited_for = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t semaphore, others_may_end;
static _Atomic int tids[8], woken;
static bool may_leave;

static void *wait_for_mutex(void *tid)
{
	atomic_store((_Atomic int *)tid, contract_tid());
	pthread_mutex_lock(&held);
	woken++;
	pthread_mutex_unlock(&held);
	return NULL;
}

static void *wait_for_reading(void *tid)
{
	atomic_store((_Atomic int *)tid, contract_tid());
	pthread_rwlock_rdlock(&waited_for);
	woken++;
	pthread_rwlock_unlock(&waited_for);
	return NULL;
}

static void *wait_for_semaphore(void *tid)
{
	atomic_store((_Atomic int *)tid, contract_tid());
	sem_wait(&semaphore);
	woken++;
	return NULL;
}

static void *wait_for_condition(void *tid)
{
	pthread_mutex_lock(&meeting);
	atomic_store((_Atomic int *)tid, contract_tid());
	while (!may_leave)
		pthread_cond_wait(&condition, &meeting);
	woken++;
	pthread_mutex_unlock(&meeting);
	return NULL;
}

static void *hold_others(void *tid)
{
	pthread_mutex_lock(&others);
	atomic_store((_Atomic int *)tid, contract_tid());
	sem_wait(&others_may_end);
	pthread_mutex_unlock(&others);
	return NULL;
}

/* ---- the child ---- */

static void *lock_in_child(void *mutex)
{
	for (int i = 0; i < 200; i++) {
		if (pthread_mutex_lock(mutex))
			return NULL;
		if (i % 20 == 0)
			contract_sleep(10000);
		if (pthread_mutex_unlock(mutex))
			return NULL;
	}
	return mutex;
}

static void *answer_in_child(void *unused)
{
	sem_wait(&semaphore);
	pthread_mutex_lock(&meeting);
	may_leave = true;
	pthread_cond_signal(&condition);
	pthread_mutex_unlock(&meeting);
	return unused;
}

#define OR_EXIT(number, condition_) \
	do { \
		if (!(condition_)) \
			_exit(number); \
	} while (0)

/* Its status. */
static int child(int depth)
{
	struct timespec until = contract_after(CLOCK_REALTIME, SHORT_NS);
	pthread_t threads[3];
	void *result = NULL;
	errno = CANARY;
	OR_EXIT(1, pthread_mutex_trylock(&held) == EBUSY);
	OR_EXIT(2, pthread_mutex_unlock(&held) == 0);
	OR_EXIT(3, pthread_mutex_lock(&held) == 0 && pthread_mutex_unlock(&held) == 0);
	OR_EXIT(4, pthread_rwlock_unlock(&read_locked) == 0);
	OR_EXIT(5, pthread_rwlock_wrlock(&read_locked) == 0 && pthread_rwlock_unlock(&read_locked) == 0);
	/* Its owner is not here. */
	OR_EXIT(6, pthread_mutex_trylock(&others) == EBUSY && pthread_mutex_timedlock(&others, &until) == ETIMEDOUT);
	OR_EXIT(7, errno == CANARY);
	OR_EXIT(8, sem_timedwait(&semaphore, &until) < 0 && errno == ETIMEDOUT);
	/* A condition that others waited for when it was copied is no use any more (glibc counts them); a new one is. */
	pthread_cond_init(&condition, NULL);
	OR_EXIT(9, pthread_mutex_lock(&meeting) == 0);
	OR_EXIT(10, pthread_cond_timedwait(&condition, &meeting, &until) == ETIMEDOUT);
	OR_EXIT(11, pthread_create(&threads[0], NULL, answer_in_child, &condition) == 0);
	OR_EXIT(12, sem_post(&semaphore) == 0);
	while (!may_leave)
		OR_EXIT(13, pthread_cond_wait(&condition, &meeting) == 0);
	OR_EXIT(14, pthread_mutex_unlock(&meeting) == 0 && pthread_join(threads[0], &result) == 0 && result == &condition);
	for (int i = 0; i < 3; i++)
		OR_EXIT(15, pthread_create(&threads[i], NULL, lock_in_child, &held) == 0);
	for (int i = 0; i < 3; i++)
		OR_EXIT(16, pthread_join(threads[i], &result) == 0 && result == &held);
	if (depth == 0)
		return 0;
	pthread_mutex_lock(&held);
	pthread_rwlock_rdlock(&read_locked);
	may_leave = false;
	pid_t grandchild = fork();
	if (grandchild == 0) {
		int status = child(depth - 1);
		exit(status); /* with destructors and all */
	}
	return contract_reap(grandchild) ? 17 : 0;
}

static void *fork_here(void *argument)
{
	pthread_mutex_lock(&held);
	pthread_rwlock_rdlock(&read_locked);
	pthread_rwlock_wrlock(&waited_for);
	pthread_t threads[5];
	static void *(*const routines[])(void *) = { wait_for_mutex, wait_for_reading, wait_for_semaphore,
		                                         wait_for_condition, hold_others };
	woken = 0;
	may_leave = false;
	for (int i = 0; i < 5; i++) {
		atomic_store(&tids[i], 0);
		threads[i] = contract_start(routines[i], &tids[i]);
		while (!atomic_load(&tids[i]))
			contract_sleep(50000);
		contract_until_asleep(atomic_load(&tids[i]));
	}
	for (int i = 0; i < 5; i++) {
		pid_t pid = fork();
		if (pid == 0)
			_exit(child(2));
		HOLDS(contract_reap(pid) == 0);
	}
	HOLDS(woken == 0);
	RETURNS(0, pthread_mutex_unlock(&held));
	RETURNS(0, pthread_rwlock_unlock(&read_locked));
	RETURNS(0, pthread_rwlock_unlock(&waited_for));
	FAILS(0, 0, sem_post(&semaphore));
	FAILS(0, 0, sem_post(&others_may_end));
	pthread_mutex_lock(&meeting);
	may_leave = true;
	RETURNS(0, pthread_cond_broadcast(&condition));
	pthread_mutex_unlock(&meeting);
	for (int i = 0; i < 5; i++)
		pthread_join(threads[i], NULL);
	HOLDS(woken == 4);
	return argument;
}

static void vforks(void)
{
	contract_case("vfork");
	for (int i = 0; i < 3; i++) {
		pid_t pid = vfork();
		if (pid == 0)
			_exit(40);
		HOLDS(contract_reap(pid) == 40);
		pid = vfork();
		if (pid == 0) {
			execl("/bin/sh", "sh", "-c", "exit 41", (char *)NULL);
			_exit(1);
		}
		HOLDS(contract_reap(pid) == 41);
	}
	static char shell[] = "sh", option[] = "-c", command[] = "exit 42";
	char *words[] = { shell, option, command, NULL };
	pid_t pid;
	RETURNS(0, posix_spawn(&pid, "/bin/sh", NULL, NULL, words, environ));
	HOLDS(contract_reap(pid) == 42);
	HOLDS(WEXITSTATUS(system("exit 43")) == 43);
}

void contract_fork(void)
{
	sem_init(&semaphore, 0, 0);
	sem_init(&others_may_end, 0, 0);
	contract_case("fork by the main thread");
	fork_here(NULL);
	contract_case("fork by another thread");
	contract_in_thread(fork_here, NULL);
	vforks();
}
