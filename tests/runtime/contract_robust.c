/* contract_robust.c - mutexes whose owner dies, as a thread or as a process: EOWNERDEAD is delivered once, to one, and what follows
 * depends on pthread_mutex_consistent.
 */
#include "contract.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

static void make(pthread_mutex_t *ret_mutex, int type, int protocol)
{
	pthread_mutexattr_t attributes;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, type);
	pthread_mutexattr_setprotocol(&attributes, protocol);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	RETURNS(0, pthread_mutex_init(ret_mutex, &attributes));
	pthread_mutexattr_destroy(&attributes);
}

static void *lock_and_end(void *mutex)
{
	RETURNS(0, pthread_mutex_lock(mutex));
	return NULL;
}

enum form { LOCK, TRYLOCK, TIMEDLOCK, CLOCKLOCK, FORMS };
static const char *const form_names[] = { "lock", "trylock", "timedlock", "clocklock" };

static int take(pthread_mutex_t *mutex, enum form form)
{
	struct timespec until = contract_after(form == CLOCKLOCK ? CLOCK_MONOTONIC : CLOCK_REALTIME, LONG_NS);
	switch (form) {
	case TRYLOCK:
		return pthread_mutex_trylock(mutex);
	case TIMEDLOCK:
		return pthread_mutex_timedlock(mutex, &until);
	case CLOCKLOCK:
		return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &until);
	default:
		return pthread_mutex_lock(mutex);
	}
}

struct again {
	pthread_mutex_t *mutex;
	enum form form;
	int result;
};

static void *take_again(void *argument)
{
	struct again *again = argument;
	again->result = take(again->mutex, again->form);
	if (again->result == 0)
		pthread_mutex_unlock(again->mutex);
	return NULL;
}

/* Its owner is dead: who comes first is told, and makes it right or not. */
static void inherited(pthread_mutex_t *mutex, enum form form, bool consistent)
{
	RETURNS(EINVAL, pthread_mutex_consistent(mutex));
	contract_in_thread(lock_and_end, mutex);
	RETURNS(EOWNERDEAD, take(mutex, form));
	if (consistent) {
		RETURNS(0, pthread_mutex_consistent(mutex));
		RETURNS(EINVAL, pthread_mutex_consistent(mutex));
	}
	RETURNS(0, pthread_mutex_unlock(mutex));
	/* The trial last: glibc's leaves one that cannot be recovered locked, which is its own affair. */
	static const enum form forms[] = { LOCK, LOCK, TIMEDLOCK, LOCK, TIMEDLOCK, TRYLOCK };
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct again again = { mutex, forms[i], -1 };
		contract_in_thread(take_again, &again);
		contract_note(form_names[forms[i]], again.result, consistent ? 0 : ENOTRECOVERABLE, CANARY, CANARY);
	}
	RETURNS(0, pthread_mutex_destroy(mutex));
}

/* ---- those who wait while the owner dies ---- */

struct waiter {
	pthread_mutex_t *mutex;
	_Atomic int tid;
	bool repairs;
	int result;
};

static void *wait_for_it(void *argument)
{
	struct waiter *waiter = argument;
	atomic_store(&waiter->tid, contract_tid());
	waiter->result = pthread_mutex_lock(waiter->mutex);
	if (waiter->result == EOWNERDEAD && waiter->repairs)
		pthread_mutex_consistent(waiter->mutex);
	if (waiter->result != ENOTRECOVERABLE)
		pthread_mutex_unlock(waiter->mutex);
	return NULL;
}

static _Atomic int may_die;

static void *lock_and_die_later(void *mutex)
{
	RETURNS(0, pthread_mutex_lock(mutex));
	while (atomic_load(&may_die) < 2) {
		if (!atomic_load(&may_die))
			atomic_store(&may_die, 1);
		contract_sleep(200000);
	}
	return NULL;
}

/* Three wait; exactly one is told. Two, when it is given up: glibc may forget to wake the third. */
static void waited_for(pthread_mutex_t *mutex, bool repairs, bool process)
{
	struct waiter waiters[3];
	pthread_t threads[3], owner = 0;
	_Atomic int *held = contract_shared(4096);
	int count = repairs ? 3 : 2;
	pid_t child = 0;
	atomic_store(&may_die, 0);
	if (process) {
		child = fork();
		if (child == 0) {
			atomic_store(held, pthread_mutex_lock(mutex) == 0 ? 1 : 2);
			for (;;)
				pause();
		}
		while (!atomic_load(held))
			contract_sleep(200000);
	} else {
		owner = contract_start(lock_and_die_later, mutex);
		while (!atomic_load(&may_die))
			contract_sleep(200000);
	}
	for (int i = 0; i < count; i++) {
		waiters[i] = (struct waiter){ mutex, 0, repairs, -1 };
		threads[i] = contract_start(wait_for_it, &waiters[i]);
		while (!atomic_load(&waiters[i].tid))
			contract_sleep(100000);
		contract_until_asleep(atomic_load(&waiters[i].tid));
	}
	if (process)
		kill(child, SIGKILL);
	else
		atomic_store(&may_die, 2);
	int told = 0, taken = 0, never = 0;
	for (int i = 0; i < count; i++) {
		pthread_join(threads[i], NULL);
		told += waiters[i].result == EOWNERDEAD;
		taken += waiters[i].result == 0;
		never += waiters[i].result == ENOTRECOVERABLE;
	}
	if (process)
		HOLDS(contract_reap(child) == -SIGKILL);
	else
		pthread_join(owner, NULL);
	HOLDS(told == 1);
	HOLDS(taken == (repairs ? 2 : 0));
	HOLDS(never == (repairs ? 0 : 1));
	RETURNS(0, pthread_mutex_destroy(mutex));
}

/* A process dies with it, and nobody waits. */
static void left_by_process(pthread_mutex_t *mutex, bool killed)
{
	pid_t child = fork();
	if (child == 0) {
		if (pthread_mutex_lock(mutex))
			_exit(1);
		if (killed)
			raise(SIGKILL);
		_exit(0);
	}
	HOLDS(contract_reap(child) == (killed ? -SIGKILL : 0));
	RETURNS(EOWNERDEAD, pthread_mutex_lock(mutex));
	RETURNS(0, pthread_mutex_consistent(mutex));
	RETURNS(0, pthread_mutex_unlock(mutex));
	RETURNS(0, pthread_mutex_lock(mutex));
	RETURNS(0, pthread_mutex_unlock(mutex));
	RETURNS(0, pthread_mutex_destroy(mutex));
}

/* A condition whose mutex is left by a dead owner: the wait returns EOWNERDEAD, with the mutex. */
struct meeting {
	pthread_mutex_t mutex;
	pthread_cond_t condition;
	_Atomic int waiting;
};

static void *signal_and_end(void *argument)
{
	struct meeting *meeting = argument;
	while (!atomic_load(&meeting->waiting))
		contract_sleep(200000);
	RETURNS(0, pthread_mutex_lock(&meeting->mutex));
	RETURNS(0, pthread_cond_signal(&meeting->condition));
	return NULL;
}

static void condition(int protocol)
{
	struct meeting *meeting = contract_shared(sizeof(*meeting));
	pthread_condattr_t attributes;
	make(&meeting->mutex, PTHREAD_MUTEX_ERRORCHECK, protocol);
	pthread_condattr_init(&attributes);
	pthread_condattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_cond_init(&meeting->condition, &attributes);
	RETURNS(0, pthread_mutex_lock(&meeting->mutex));
	pthread_t thread = contract_start(signal_and_end, meeting);
	atomic_store(&meeting->waiting, 1);
	errno = CANARY;
	int result = pthread_cond_wait(&meeting->condition, &meeting->mutex);
	int error = errno;
	pthread_join(thread, NULL);
	contract_note("pthread_cond_wait", result, EOWNERDEAD, error, CANARY);
	RETURNS(0, pthread_mutex_consistent(&meeting->mutex));
	RETURNS(0, pthread_mutex_unlock(&meeting->mutex));
	RETURNS(0, pthread_cond_destroy(&meeting->condition));
	RETURNS(0, pthread_mutex_destroy(&meeting->mutex));
}

void contract_robust(void)
{
	static const char *const protocols[] = { "none", "inherit" };
	pthread_mutex_t *mutex = contract_shared(4096);
	for (int protocol = PTHREAD_PRIO_NONE; protocol <= PTHREAD_PRIO_INHERIT; protocol++) {
		for (int type = 0; type < 3; type++)
			for (enum form form = LOCK; form < FORMS; form++)
				for (int consistent = 0; consistent < 2; consistent++) {
					if (form == CLOCKLOCK && protocol == PTHREAD_PRIO_INHERIT)
						continue; /* a matter of the kernel's age */
					contract_case("robust %s, type %d, %s, %s", protocols[protocol], type, form_names[form],
					              consistent ? "made consistent" : "left as it is");
					make(mutex, type, protocol);
					inherited(mutex, form, consistent);
				}
		for (int i = 0; i < 4; i++) {
			contract_case("robust %s, %s waited for, %s", protocols[protocol], i & 1 ? "a process's" : "a thread's",
			              i & 2 ? "repaired" : "given up");
			make(mutex, PTHREAD_MUTEX_NORMAL, protocol);
			waited_for(mutex, i & 2, i & 1);
		}
		for (int killed = 0; killed < 2; killed++) {
			contract_case("robust %s, left by a process that %s", protocols[protocol], killed ? "was killed" : "ended");
			make(mutex, PTHREAD_MUTEX_NORMAL, protocol);
			left_by_process(mutex, killed);
		}
		contract_case("robust %s, condition", protocols[protocol]);
		condition(protocol);
	}
}
