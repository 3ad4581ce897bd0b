/* contract_jump.c - handlers that jump out of a wait which they interrupted, and handlers that lock and wait themselves: always wrong,
 * and working.
 */
#include "contract.h"

#include <linux/futex.h>
#include <poll.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

/* Everything here is waited for by one thread at a time, and used by nobody else after a jump. */
struct things {
	pthread_mutex_t mutex, inherit, own;
	pthread_rwlock_t read, written;
	pthread_cond_t condition;
	pthread_barrier_t barrier;
	sem_t semaphore;
	int silent[2], quiet[2], epoll;
	uint32_t word;
};

static void on_mutex_lock(struct things *things)
{
	pthread_mutex_lock(&things->mutex);
}

static void on_inherit_lock(struct things *things)
{
	pthread_mutex_lock(&things->inherit);
}

static void on_timedlock(struct things *things)
{
	struct timespec until = contract_after(CLOCK_REALTIME, LONG_NS);
	pthread_mutex_timedlock(&things->mutex, &until);
}

static void on_rdlock(struct things *things)
{
	pthread_rwlock_rdlock(&things->written);
}

static void on_wrlock(struct things *things)
{
	pthread_rwlock_wrlock(&things->read);
}

static void on_sem_wait(struct things *things)
{
	sem_wait(&things->semaphore);
}

static void on_sem_timedwait(struct things *things)
{
	struct timespec until = contract_after(CLOCK_REALTIME, LONG_NS);
	sem_timedwait(&things->semaphore, &until);
}

static void on_cond_wait(struct things *things)
{
	pthread_mutex_lock(&things->own);
	pthread_cond_wait(&things->condition, &things->own);
}

static void on_cond_timedwait(struct things *things)
{
	struct timespec until = contract_after(CLOCK_REALTIME, LONG_NS);
	pthread_mutex_lock(&things->own);
	pthread_cond_timedwait(&things->condition, &things->own, &until);
}

static void on_barrier(struct things *things)
{
	pthread_barrier_wait(&things->barrier);
}

static void on_read(struct things *things)
{
	char byte;
	(void)!read(things->silent[0], &byte, 1);
}

static void on_recv(struct things *things)
{
	char byte;
	(void)!recv(things->quiet[0], &byte, 1, 0);
}

static void on_poll(struct things *things)
{
	struct pollfd fd = { .fd = things->silent[0], .events = POLLIN };
	poll(&fd, 1, -1);
}

static void on_epoll_wait(struct things *things)
{
	struct epoll_event event;
	epoll_wait(things->epoll, &event, 1, -1);
}

static void on_nanosleep(struct things *things)
{
	struct timespec time = { 1000, 0 };
	(void)things;
	nanosleep(&time, NULL);
}

static void on_pause(struct things *things)
{
	(void)things;
	pause();
}

static void on_sigsuspend(struct things *things)
{
	sigset_t none;
	(void)things;
	sigemptyset(&none);
	sigsuspend(&none);
}

static void on_futex(struct things *things)
{
	syscall(SYS_futex, &things->word, FUTEX_WAIT, 0, NULL, NULL, 0);
}

#define JUMP(call) \
	{ \
#call, on_##call \
	}
static const struct {
	const char *name;
	void (*wait)(struct things *things);
} waits[] = {
	JUMP(mutex_lock), JUMP(inherit_lock),  JUMP(timedlock), JUMP(rdlock),         JUMP(wrlock),     JUMP(sem_wait),
	JUMP(cond_wait),  JUMP(sem_timedwait), JUMP(read),      JUMP(cond_timedwait), JUMP(barrier),    JUMP(recv),
	JUMP(poll),       JUMP(epoll_wait),    JUMP(nanosleep), JUMP(pause),          JUMP(sigsuspend), JUMP(futex),
};
#define WAITS (sizeof(waits) / sizeof(waits[0]))

static sigjmp_buf away;
static _Atomic int tid, round_done;
static struct things *volatile now_waiting;

static void jump(int number)
{
	siglongjmp(away, number);
}

static void *jumper(void *argument)
{
	size_t which = (size_t)(uintptr_t)argument;
	for (volatile int round = 0; round < 5; round++) {
		atomic_store(&tid, contract_tid());
		if (sigsetjmp(away, 1) == 0) {
			waits[which].wait(now_waiting);
			return NULL;
		}
		/* What follows a jump works as ever. */
		pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
		sem_t semaphore;
		struct timespec until = contract_after(CLOCK_REALTIME, 1000000);
		sem_init(&semaphore, 0, 1);
		if (pthread_mutex_lock(&mutex) || sem_wait(&semaphore) || sem_timedwait(&semaphore, &until) == 0 ||
		    pthread_mutex_unlock(&mutex))
			return NULL;
		if (pthread_mutex_trylock(&now_waiting->own) == 0)
			pthread_mutex_unlock(&now_waiting->own);
		atomic_store(&tid, 0);
		atomic_fetch_add(&round_done, 1);
	}
	return (void *)1;
}

static void make(struct things *things)
{
	pthread_mutexattr_t attributes;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&things->mutex, NULL);
	pthread_mutex_init(&things->inherit, &attributes);
	pthread_mutex_init(&things->own, NULL);
	pthread_rwlock_init(&things->read, NULL);
	pthread_rwlock_init(&things->written, NULL);
	pthread_cond_init(&things->condition, NULL);
	pthread_barrier_init(&things->barrier, NULL, 2000);
	sem_init(&things->semaphore, 0, 0);
	things->epoll = epoll_create1(0);
	HOLDS(pipe(things->silent) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, things->quiet) == 0);
	pthread_mutex_lock(&things->mutex);
	pthread_mutex_lock(&things->inherit);
	pthread_rwlock_rdlock(&things->read);
	pthread_rwlock_wrlock(&things->written);
}

static void end(struct things *things)
{
	RETURNS(0, pthread_mutex_unlock(&things->mutex));
	RETURNS(0, pthread_mutex_lock(&things->mutex));
	RETURNS(0, pthread_mutex_unlock(&things->mutex));
	RETURNS(0, pthread_mutex_unlock(&things->inherit));
	RETURNS(0, pthread_mutex_lock(&things->inherit));
	RETURNS(0, pthread_mutex_unlock(&things->inherit));
	RETURNS(0, pthread_rwlock_unlock(&things->written));
	RETURNS(0, pthread_rwlock_unlock(&things->read));
	RETURNS(0, pthread_cond_signal(&things->condition));
	for (int i = 0; i < 2; i++) {
		close(things->silent[i]);
		close(things->quiet[i]);
	}
	close(things->epoll);
}

static void jumps(size_t which)
{
	struct things *things = contract_shared(sizeof(*things));
	struct sigaction action = { .sa_handler = jump };
	void *result = NULL;
	contract_case("jump out of %s", waits[which].name);
	sigaction(SIGUSR1, &action, NULL);
	make(things);
	now_waiting = things;
	atomic_store(&round_done, 0);
	atomic_store(&tid, 0);
	pthread_t thread = contract_start(jumper, (void *)(uintptr_t)which);
	for (int round = 0; round < 5; round++) {
		while (!atomic_load(&tid))
			contract_sleep(50000);
		contract_until_asleep(atomic_load(&tid));
		pthread_kill(thread, SIGUSR1);
		while (atomic_load(&round_done) <= round)
			contract_sleep(50000);
	}
	pthread_join(thread, &result);
	HOLDS(result == (void *)1);
	end(things);
}

/* ---- handlers that wait ---- */

static pthread_mutex_t handlers_mutex = PTHREAD_MUTEX_INITIALIZER;
static sem_t handlers_semaphore;
static _Atomic int handled;

static void wait_in_handler(int number)
{
	int saved = errno;
	struct timespec time = { 0, 500000 }, until = contract_after(CLOCK_REALTIME, 500000);
	(void)number;
	pthread_mutex_lock(&handlers_mutex);
	nanosleep(&time, NULL);
	pthread_mutex_unlock(&handlers_mutex);
	sem_timedwait(&handlers_semaphore, &until);
	atomic_fetch_add(&handled, 1);
	errno = saved;
}

struct patient {
	pthread_mutex_t *mutex;
	_Atomic int tid;
	int result, error;
};

static void *wait_patiently(void *argument)
{
	struct patient *patient = argument;
	atomic_store(&patient->tid, contract_tid());
	errno = CANARY;
	patient->result = pthread_mutex_lock(patient->mutex);
	patient->error = errno;
	pthread_mutex_unlock(patient->mutex);
	return NULL;
}

static void handlers_wait(void)
{
	struct sigaction action = { .sa_handler = wait_in_handler };
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	struct patient patients[2] = { { .mutex = &mutex }, { .mutex = &mutex } };
	pthread_t threads[2];
	contract_case("handlers that wait");
	sem_init(&handlers_semaphore, 0, 0);
	sigaction(SIGUSR2, &action, NULL);
	pthread_mutex_lock(&mutex);
	for (int i = 0; i < 2; i++) {
		threads[i] = contract_start(wait_patiently, &patients[i]);
		while (!atomic_load(&patients[i].tid))
			contract_sleep(50000);
		contract_until_asleep(atomic_load(&patients[i].tid));
	}
	for (int round = 0; round < 20; round++) {
		pthread_kill(threads[0], SIGUSR2);
		pthread_kill(threads[1], SIGUSR2);
		while (atomic_load(&handled) < 2 * round + 2)
			contract_sleep(100000);
	}
	RETURNS(0, pthread_mutex_unlock(&mutex));
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		contract_note("the interrupted lock", patients[i].result, 0, patients[i].error, CANARY);
	}
}

void contract_jump(void)
{
	for (size_t i = 0; i < WAITS; i++)
		jumps(i);
	handlers_wait();
}
