/* contract_sem.c - semaphores, private, shared and named, and barriers.
 */
#include "contract.h"

#include <fcntl.h>
#include <limits.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

static const struct timespec no_ns = { 1ll << 40, -1 }, too_many_ns = { 1ll << 40, 1000000000 };
static const struct timespec negative = { -5, 0 }, past = { 1, 5 };

static int value_of(sem_t *semaphore)
{
	int value = -1;
	FAILS(0, 0, sem_getvalue(semaphore, &value));
	return value;
}

static void plenty(sem_t *semaphore)
{
	struct timespec until = contract_after(CLOCK_REALTIME, LONG_NS),
					monotonic = contract_after(CLOCK_MONOTONIC, LONG_NS);
	for (int i = 0; i < 5; i++)
		FAILS(0, 0, sem_post(semaphore));
	FAILS(0, 0, sem_wait(semaphore));
	FAILS(0, 0, sem_trywait(semaphore));
	FAILS(0, 0, sem_timedwait(semaphore, &until));
	FAILS(0, 0, sem_clockwait(semaphore, CLOCK_MONOTONIC, &monotonic));
	FAILS(0, 0, sem_timedwait(semaphore, &past));
	for (int i = 0; i < 2; i++)
		FAILS(0, 0, sem_post(semaphore));
	FAILS(0, 0, sem_timedwait(semaphore, &negative));
	FAILS(-1, EINVAL, sem_timedwait(semaphore, &no_ns));
	FAILS(-1, EINVAL, sem_timedwait(semaphore, &too_many_ns));
	FAILS(-1, EINVAL, sem_clockwait(semaphore, CLOCK_MONOTONIC, &too_many_ns));
	FAILS(-1, EINVAL, sem_clockwait(semaphore, 12345, &until));
	HOLDS(value_of(semaphore) == 1);
	FAILS(0, 0, sem_wait(semaphore));
}

static void none(sem_t *semaphore)
{
	struct timespec until = contract_after(CLOCK_REALTIME, SHORT_NS),
					monotonic = contract_after(CLOCK_MONOTONIC, SHORT_NS);
	HOLDS(value_of(semaphore) == 0);
	FAILS(-1, EAGAIN, sem_trywait(semaphore));
	FAILS(-1, ETIMEDOUT, sem_timedwait(semaphore, &until));
	FAILS(-1, ETIMEDOUT, sem_timedwait(semaphore, &past));
	FAILS(-1, ETIMEDOUT, sem_timedwait(semaphore, &negative));
	FAILS(-1, EINVAL, sem_timedwait(semaphore, &no_ns));
	FAILS(-1, EINVAL, sem_timedwait(semaphore, &too_many_ns));
	FAILS(-1, ETIMEDOUT, sem_clockwait(semaphore, CLOCK_MONOTONIC, &monotonic));
	FAILS(-1, ETIMEDOUT, sem_clockwait(semaphore, CLOCK_REALTIME, &until));
	FAILS(-1, EINVAL, sem_clockwait(semaphore, CLOCK_PROCESS_CPUTIME_ID, &until));
}

struct taker {
	sem_t *semaphore;
	int form, result, error;
	_Atomic int tid;
};

static void *take(void *argument)
{
	struct taker *taker = argument;
	struct timespec until = contract_after(taker->form == 2 ? CLOCK_MONOTONIC : CLOCK_REALTIME, LONG_NS);
	atomic_store(&taker->tid, contract_tid());
	errno = CANARY;
	taker->result = taker->form == 0   ? sem_wait(taker->semaphore)
	                : taker->form == 1 ? sem_timedwait(taker->semaphore, &until)
	                                   : sem_clockwait(taker->semaphore, CLOCK_MONOTONIC, &until);
	taker->error = errno;
	return NULL;
}

static pthread_t start_taker(struct taker *taker, sem_t *semaphore, int form)
{
	*taker = (struct taker){ .semaphore = semaphore, .form = form };
	pthread_t thread = contract_start(take, taker);
	while (!atomic_load(&taker->tid))
		contract_sleep(100000);
	contract_until_asleep(atomic_load(&taker->tid));
	return thread;
}

static void waited_for(sem_t *semaphore)
{
	struct taker takers[3];
	pthread_t threads[3];
	for (int i = 0; i < 3; i++)
		threads[i] = start_taker(&takers[i], semaphore, i);
	for (int i = 0; i < 3; i++)
		FAILS(0, 0, sem_post(semaphore));
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		contract_note("a waiter's wait", takers[i].result, 0, takers[i].error, CANARY);
	}
}

static void on_signal(int number)
{
	(void)number;
}

/* The program's own signal ends a wait, unless it was installed to start it again. */
static void interrupted(sem_t *semaphore, bool restarts)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = restarts ? SA_RESTART : 0 };
	sigaction(SIGUSR1, &action, NULL);
	for (int form = 0; form < 3; form++) {
		struct taker taker;
		pthread_t thread = start_taker(&taker, semaphore, form);
		pthread_kill(thread, SIGUSR1);
		if (restarts && form == 0) {
			contract_sleep(SHORT_NS);
			FAILS(0, 0, sem_post(semaphore));
		}
		/* With a time the kernel does not start it again. */
		pthread_join(thread, NULL);
		contract_note("an interrupted wait", taker.result, restarts && form == 0 ? 0 : -1, taker.error,
		              restarts && form == 0 ? CANARY : EINTR);
	}
}

static void of_processes(sem_t *semaphore, sem_t *answers)
{
	pid_t child = fork();
	if (child == 0) {
		for (int i = 0; i < 300; i++)
			if (sem_wait(semaphore) || sem_post(answers))
				_exit(1);
		_exit(0);
	}
	int failed = 0;
	for (int i = 0; i < 300; i++)
		failed += sem_post(semaphore) || sem_wait(answers);
	HOLDS(failed == 0);
	HOLDS(contract_reap(child) == 0);
}

static void named(void)
{
	char name[64];
	contract_case("sem named");
	snprintf(name, sizeof(name), "/cpprof-contract-%d", getpid());
	sem_t *semaphore = sem_open(name, O_CREAT | O_EXCL, 0600, 1);
	if (semaphore == SEM_FAILED) {
		printf("%s: none here\n", name[0] ? "sem named" : "");
		return;
	}
	HOLDS(sem_open(name, O_CREAT | O_EXCL, 0600, 1) == SEM_FAILED && errno == EEXIST);
	sem_t *again = sem_open(name, 0);
	HOLDS(again == semaphore);
	FAILS(0, 0, sem_wait(semaphore));
	none(again);
	plenty(semaphore);
	waited_for(semaphore);
	FAILS(0, 0, sem_close(again));
	FAILS(0, 0, sem_close(semaphore));
	FAILS(0, 0, sem_unlink(name));
	FAILS(-1, ENOENT, sem_unlink(name));
}

/* ---- barriers ---- */

enum { PARTIES = 3, ROUNDS = 200 };

struct barrier {
	pthread_barrier_t barrier;
	_Atomic int serial, wrong, arrived, disturbed;
};

static void *meet(void *argument)
{
	struct barrier *barrier = argument;
	for (int round = 1; round <= ROUNDS; round++) {
		atomic_fetch_add(&barrier->arrived, 1);
		errno = CANARY;
		int result = pthread_barrier_wait(&barrier->barrier);
		barrier->disturbed += errno != CANARY;
		if (result == PTHREAD_BARRIER_SERIAL_THREAD)
			atomic_fetch_add(&barrier->serial, 1);
		else if (result)
			atomic_fetch_add(&barrier->wrong, 1);
		if (atomic_load(&barrier->arrived) < round * PARTIES)
			atomic_fetch_add(&barrier->wrong, 1);
		pthread_barrier_wait(&barrier->barrier);
	}
	return NULL;
}

static void barriers(int shared)
{
	struct barrier *barrier = contract_shared(sizeof(*barrier));
	pthread_barrierattr_t attributes;
	pthread_t threads[PARTIES];
	contract_case("barrier %s", shared ? "shared" : "private");
	pthread_barrierattr_init(&attributes);
	RETURNS(0, pthread_barrierattr_setpshared(&attributes, shared));
	RETURNS(EINVAL, pthread_barrier_init(&barrier->barrier, &attributes, 0));
	RETURNS(0, pthread_barrier_init(&barrier->barrier, &attributes, 1));
	RETURNS(PTHREAD_BARRIER_SERIAL_THREAD, pthread_barrier_wait(&barrier->barrier));
	RETURNS(0, pthread_barrier_destroy(&barrier->barrier));
	RETURNS(0, pthread_barrier_init(&barrier->barrier, &attributes, PARTIES));
	pid_t child = shared ? fork() : -1;
	if (child == 0) {
		meet(barrier);
		_exit(0);
	}
	for (int i = 0; i < PARTIES - shared; i++)
		threads[i] = contract_start(meet, barrier);
	for (int i = 0; i < PARTIES - shared; i++)
		pthread_join(threads[i], NULL);
	if (shared)
		HOLDS(contract_reap(child) == 0);
	HOLDS(barrier->serial == ROUNDS && barrier->wrong == 0 && barrier->disturbed == 0);
	RETURNS(0, pthread_barrier_destroy(&barrier->barrier));
}

void contract_sem(void)
{
	for (int shared = 0; shared < 2; shared++) {
		sem_t *semaphores = contract_shared(2 * sizeof(sem_t));
		contract_case("sem %s", shared ? "shared" : "private");
		FAILS(-1, EINVAL, sem_init(semaphores, shared, (unsigned)INT_MAX + 1));
		FAILS(0, 0, sem_init(semaphores, shared, INT_MAX));
		FAILS(-1, EOVERFLOW, sem_post(semaphores));
		FAILS(0, 0, sem_wait(semaphores));
		FAILS(0, 0, sem_destroy(semaphores));
		FAILS(0, 0, sem_init(semaphores, shared, 0));
		FAILS(0, 0, sem_init(semaphores + 1, shared, 0));
		plenty(semaphores);
		none(semaphores);
		waited_for(semaphores);
		interrupted(semaphores, false);
		interrupted(semaphores, true);
		none(semaphores);
		if (shared)
			of_processes(semaphores, semaphores + 1);
		FAILS(0, 0, sem_destroy(semaphores));
		barriers(shared);
	}
	named();
}
