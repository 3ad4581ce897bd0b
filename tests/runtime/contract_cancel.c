/* contract_cancel.c - cancellation of whoever waits: the handlers run once, with the mutex where a condition was waited for, and everything
 * waited for is usable afterwards. In the end some threads stay in their cleanup handlers: nobody may say of them that they wait.
 */
#include "contract.h"

#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

static int silent[2], full[2], quiet[2], epoll_fd, listening;
static pid_t idle_child;
static pthread_t idle_thread;
static sem_t empty, plenty;
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER, checked;
static pthread_rwlock_t written = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static mtx_t c11_mutex;
static cnd_t c11_condition;
static const struct timespec long_time = { 1000, 0 };

static void in_read(void)
{
	char byte;
	(void)!read(silent[0], &byte, 1);
}

static void in_readv(void)
{
	char byte;
	struct iovec piece = { &byte, 1 };
	(void)!readv(silent[0], &piece, 1);
}

static void in_write(void)
{
	static const char bytes[4096];
	for (;;)
		if (write(full[1], bytes, sizeof(bytes)) < 0)
			abort();
}

static void in_recv(void)
{
	char byte;
	(void)!recv(quiet[0], &byte, 1, 0);
}

static void in_accept(void)
{
	accept(listening, NULL, NULL);
}

static void in_poll(void)
{
	struct pollfd fd = { .fd = silent[0], .events = POLLIN };
	poll(&fd, 1, -1);
}

static void in_ppoll(void)
{
	struct pollfd fd = { .fd = silent[0], .events = POLLIN };
	ppoll(&fd, 1, &long_time, NULL);
}

static void in_select(void)
{
	fd_set fds;
	FD_ZERO(&fds);
	FD_SET(silent[0], &fds);
	select(silent[0] + 1, &fds, NULL, NULL, NULL);
}

static void in_epoll_wait(void)
{
	struct epoll_event event;
	epoll_wait(epoll_fd, &event, 1, -1);
}

static void in_nanosleep(void)
{
	nanosleep(&long_time, NULL);
}

static void in_clock_nanosleep(void)
{
	clock_nanosleep(CLOCK_MONOTONIC, 0, &long_time, NULL);
}

static void in_usleep(void)
{
	for (;;)
		usleep(900000);
}

static void in_sleep(void)
{
	sleep(1000);
}

static void in_pause(void)
{
	pause();
}

static void in_sigwaitinfo(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigwaitinfo(&set, NULL);
}

static void in_sigsuspend(void)
{
	sigset_t set;
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	sigsuspend(&set);
}

static void in_waitpid(void)
{
	waitpid(idle_child, NULL, 0);
}

static void in_waitid(void)
{
	siginfo_t info;
	waitid(P_PID, (id_t)idle_child, &info, WEXITED);
}

static void in_join(void)
{
	pthread_join(idle_thread, NULL);
}

static void in_timedjoin(void)
{
	struct timespec until = contract_after(CLOCK_REALTIME, LONG_NS);
	pthread_timedjoin_np(idle_thread, NULL, &until);
}

static void in_sem_wait(void)
{
	sem_wait(&empty);
}

static void in_sem_timedwait(void)
{
	struct timespec until = contract_after(CLOCK_REALTIME, LONG_NS);
	sem_timedwait(&empty, &until);
}

static void in_sem_clockwait(void)
{
	struct timespec until = contract_after(CLOCK_MONOTONIC, LONG_NS);
	sem_clockwait(&empty, CLOCK_MONOTONIC, &until);
}

static _Atomic int unlocked_well;

static void unlock_checked(void *unused)
{
	(void)unused;
	/* Of a kind that says EPERM if it is not ours. */
	if (pthread_mutex_unlock(&checked) == 0)
		atomic_fetch_add(&unlocked_well, 1);
}

static void in_cond(int form)
{
	struct timespec until = contract_after(form == 2 ? CLOCK_MONOTONIC : CLOCK_REALTIME, LONG_NS);
	pthread_mutex_lock(&checked);
	pthread_cleanup_push(unlock_checked, NULL);
	for (;;)
		if (form == 0)
			pthread_cond_wait(&condition, &checked);
		else if (form == 1)
			pthread_cond_timedwait(&condition, &checked, &until);
		else
			pthread_cond_clockwait(&condition, &checked, CLOCK_MONOTONIC, &until);
	pthread_cleanup_pop(1);
}

static void in_cond_wait(void)
{
	in_cond(0);
}

static void in_cond_timedwait(void)
{
	in_cond(1);
}

static void in_cond_clockwait(void)
{
	in_cond(2);
}

static void unlock_c11(void *unused)
{
	(void)unused;
	if (mtx_unlock(&c11_mutex) == thrd_success)
		atomic_fetch_add(&unlocked_well, 1);
}

static void in_cnd_wait(void)
{
	mtx_lock(&c11_mutex);
	pthread_cleanup_push(unlock_c11, NULL);
	for (;;)
		cnd_wait(&c11_condition, &c11_mutex);
	pthread_cleanup_pop(1);
}

/* No cancellation points: only asynchronous cancellation ends these. */
static void in_mutex_lock(void)
{
	pthread_mutex_lock(&held);
}

static void in_mutex_timedlock(void)
{
	struct timespec until = contract_after(CLOCK_REALTIME, LONG_NS);
	pthread_mutex_timedlock(&held, &until);
}

static void in_rdlock(void)
{
	pthread_rwlock_rdlock(&written);
}

static void in_wrlock(void)
{
	pthread_rwlock_wrlock(&written);
}

struct wait {
	const char *name;
	void (*wait)(void);
	bool unlocks, only_asynchronous;
};

#define WAIT(call) \
	{ \
#call, in_##call, false, false \
	}
#define WAIT_WITH_MUTEX(call) \
	{ \
#call, in_##call, true, false \
	}
#define WAIT_FOR_LOCK(call) \
	{ \
#call, in_##call, false, true \
	}

static const struct wait waits[] = {
	WAIT(read),
	WAIT(readv),
	WAIT(write),
	WAIT(recv),
	WAIT(accept),
	WAIT(poll),
	WAIT(ppoll),
	WAIT(select),
	WAIT(epoll_wait),
	WAIT(nanosleep),
	WAIT(usleep),
	WAIT(clock_nanosleep),
	WAIT(sleep),
	WAIT(pause),
	WAIT(sigwaitinfo),
	WAIT(sigsuspend),
	WAIT(waitpid),
	WAIT(waitid),
	WAIT(join),
	WAIT(timedjoin),
	WAIT(sem_wait),
	WAIT(sem_timedwait),
	WAIT(sem_clockwait),
	WAIT_WITH_MUTEX(cond_wait),
	WAIT_WITH_MUTEX(cond_timedwait),
	WAIT_WITH_MUTEX(cond_clockwait),
	WAIT_WITH_MUTEX(cnd_wait),
	WAIT_FOR_LOCK(mutex_lock),
	WAIT_FOR_LOCK(mutex_timedlock),
	WAIT_FOR_LOCK(rdlock),
	WAIT_FOR_LOCK(wrlock),
};
#define WAITS (sizeof(waits) / sizeof(waits[0]))

struct victim {
	const struct wait *wait;
	bool asynchronous, exits, before, disabled;
	_Atomic int tid, cleaned, reached;
};

static void clean(void *argument)
{
	struct victim *victim = argument;
	atomic_fetch_add(&victim->cleaned, 1);
	/* What is used here works, and a cleanup handler may leave by another door. */
	struct timespec until = contract_after(CLOCK_REALTIME, 100000);
	sem_timedwait(&empty, &until);
	pthread_mutex_trylock(&held);
	free(malloc(100));
	if (victim->exits && atomic_load(&victim->cleaned) == 1)
		pthread_exit((void *)77);
}

static void *suffer(void *argument)
{
	struct victim *victim = argument;
	int old;
	pthread_cleanup_push(clean, argument);
	if (victim->before)
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	if (victim->asynchronous)
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
	atomic_store(&victim->tid, contract_tid());
	if (victim->before) {
		/* It is cancelled already when it comes to the call. */
		while (!atomic_load(&victim->reached))
			sched_yield();
		pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
	}
	victim->wait->wait();
	pthread_cleanup_pop(0);
	return NULL;
}

static void cancel(struct victim *victim)
{
	void *result = NULL;
	atomic_store(&unlocked_well, 0);
	pthread_t thread = contract_start(suffer, victim);
	while (!atomic_load(&victim->tid))
		contract_sleep(50000);
	if (!victim->before)
		contract_until_asleep(atomic_load(&victim->tid));
	RETURNS(0, pthread_cancel(thread));
	atomic_store(&victim->reached, 1);
	pthread_join(thread, &result);
	HOLDS(result == (victim->exits ? (void *)77 : PTHREAD_CANCELED));
	/* Leaving a handler by pthread_exit runs it again, or not, as the program was compiled. */
	contract_note("times the handler ran", atomic_load(&victim->cleaned), victim->exits ? ANYTHING : 1, CANARY, CANARY);
	HOLDS(!victim->wait->unlocks || atomic_load(&unlocked_well) == 1);
	RETURNS(0, pthread_mutex_lock(&checked));
	RETURNS(0, pthread_mutex_unlock(&checked));
}

static void cancel_each(void)
{
	for (size_t i = 0; i < WAITS; i++)
		for (int how = 0; how < 8; how++) {
			struct victim victim = { .wait = &waits[i], .asynchronous = how & 1, .exits = how & 2, .before = how & 4 };
			if (victim.exits && waits[i].unlocks)
				continue; /* crashes by itself */
			if (waits[i].only_asynchronous && (!victim.asynchronous || victim.before))
				continue;
			if (victim.asynchronous && victim.before)
				continue; /* it would be cancelled in setcancelstate */
			contract_case("cancel %s%s%s%s", waits[i].name, victim.asynchronous ? ", asynchronously" : "",
			              victim.exits ? ", the handler exits" : "", victim.before ? ", cancelled before" : "");
			cancel(&victim);
		}
}

/* ---- calls that need not wait are cancellation points all the same, or are not ---- */

static void *take_plenty(void *argument)
{
	int old;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	pthread_cancel(pthread_self());
	pthread_mutex_lock(&checked);
	pthread_mutex_unlock(&checked);
	sem_wait(&plenty);
	atomic_store((_Atomic int *)argument, 1);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
	/* No cancellation points. */
	pthread_mutex_lock(&checked);
	pthread_mutex_unlock(&checked);
	pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
	pthread_rwlock_rdlock(&lock);
	pthread_rwlock_unlock(&lock);
	sem_post(&plenty);
	atomic_store((_Atomic int *)argument, 2);
	sem_wait(&plenty);
	atomic_store((_Atomic int *)argument, 3);
	return NULL;
}

static void need_not_wait(void)
{
	_Atomic int reached = 0;
	void *result = NULL;
	contract_case("cancel where there is no need to wait");
	sem_init(&plenty, 0, 5);
	pthread_t thread = contract_start(take_plenty, &reached);
	pthread_join(thread, &result);
	HOLDS(result == PTHREAD_CANCELED && atomic_load(&reached) == 2);
	int value = 0;
	sem_getvalue(&plenty, &value);
	HOLDS(value == 5);
}

/* ---- those who stay in their handlers ---- */

static void *idle(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static volatile bool computing = true;
static _Atomic int in_cleanup;

static void compute_in_cleanup(void *unused)
{
	(void)unused;
	atomic_fetch_add(&in_cleanup, 1);
	while (computing)
		sched_yield();
}

static void *stay_in_cleanup(void *argument)
{
	struct victim *victim = argument;
	pthread_cleanup_push(compute_in_cleanup, NULL);
	atomic_store(&victim->tid, contract_tid());
	victim->wait->wait();
	pthread_cleanup_pop(0);
	return NULL;
}

static void stay(void)
{
	static const char *const names[] = { "cond_wait", "sem_wait", "read" };
	static struct victim victims[3];
	for (int i = 0; i < 3; i++)
		for (size_t k = 0; k < WAITS; k++)
			if (strcmp(waits[k].name, names[i]) == 0)
				victims[i].wait = &waits[k];
	for (int i = 0; i < 3; i++) {
		pthread_t thread = contract_start(stay_in_cleanup, &victims[i]);
		while (!atomic_load(&victims[i].tid))
			contract_sleep(50000);
		contract_until_asleep(atomic_load(&victims[i].tid));
		pthread_cancel(thread);
		pthread_detach(thread);
		while (atomic_load(&in_cleanup) <= i)
			contract_sleep(50000);
	}
}

static void prepare(void)
{
	static const char bytes[4096];
	struct sockaddr_storage address = { .ss_family = AF_UNIX };
	pthread_mutexattr_t attributes;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(&checked, &attributes);
	sem_init(&empty, 0, 0);
	mtx_init(&c11_mutex, mtx_plain);
	cnd_init(&c11_condition);
	listening = socket(AF_UNIX, SOCK_STREAM, 0);
	if (pipe(silent) || pipe(full) || socketpair(AF_UNIX, SOCK_STREAM, 0, quiet) || listening < 0 ||
	    bind(listening, (struct sockaddr *)&address, sizeof(sa_family_t)) || listen(listening, 1))
		abort();
	epoll_fd = epoll_create1(0);
	for (int i = 0; i < 16; i++)
		(void)!write(full[1], bytes, sizeof(bytes));
	idle_child = fork();
	if (idle_child == 0) {
		alarm(300);
		for (;;)
			pause();
	}
	idle_thread = contract_start(idle, NULL);
	pthread_mutex_lock(&held);
	pthread_rwlock_wrlock(&written);
}

void contract_cancel(void)
{
	prepare();
	cancel_each();
	need_not_wait();
	contract_case("cancel, afterwards");
	RETURNS(0, pthread_mutex_unlock(&held));
	RETURNS(0, pthread_mutex_lock(&held));
	RETURNS(0, pthread_mutex_unlock(&held));
	RETURNS(0, pthread_rwlock_unlock(&written));
	kill(idle_child, SIGKILL);
	HOLDS(contract_reap(idle_child) == -SIGKILL);
	RETURNS(0, pthread_cancel(idle_thread));
	RETURNS(0, pthread_join(idle_thread, NULL));
	RETURNS(0, pthread_cond_broadcast(&condition));
	RETURNS(0, pthread_cond_destroy(&condition));
	stay();
}
