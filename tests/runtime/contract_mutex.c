/* contract_mutex.c - every kind of mutex in every state: unlocked, one's own, another's; with times and clocks that are wrong.
 *
 * What POSIX leaves undefined but glibc does is in here too: programs rely on it.
 */
#include "contract.h"

#include <stdatomic.h>
#include <stdint.h>
#include <limits.h>

struct kind {
	int type, protocol, shared, robust;
};

static const char *const type_names[] = { "normal", "recursive", "errorcheck", "adaptive" };
static const char *const protocol_names[] = { "none", "inherit", "protect" };

/* False: this combination does not exist here. */
static bool make(const struct kind *kind, pthread_mutex_t *ret_mutex)
{
	pthread_mutexattr_t attributes;
	pthread_mutexattr_init(&attributes);
	RETURNS(0, pthread_mutexattr_settype(&attributes, kind->type));
	RETURNS(0, pthread_mutexattr_setprotocol(&attributes, kind->protocol));
	RETURNS(0, pthread_mutexattr_setpshared(&attributes, kind->shared));
	RETURNS(0, pthread_mutexattr_setrobust(&attributes, kind->robust));
	errno = CANARY;
	int error = pthread_mutex_init(ret_mutex, &attributes);
	contract_note("pthread_mutex_init", error, kind->protocol == PTHREAD_PRIO_PROTECT ? ANYTHING : 0, errno, CANARY);
	pthread_mutexattr_destroy(&attributes);
	return error == 0;
}

static const struct timespec no_ns = { 1ll << 40, -1 }, too_many_ns = { 1ll << 40, 1000000000 };
static const struct timespec negative = { -5, 0 }, past = { 1, 5 };

static struct timespec soon(clockid_t clock)
{
	return contract_after(clock, SHORT_NS);
}

static struct timespec late(clockid_t clock)
{
	return contract_after(clock, LONG_NS);
}

/* Nobody has it: a bad time is no matter, a bad clock is. */
static void unlocked(const struct kind *kind, pthread_mutex_t *mutex)
{
	struct timespec until = late(CLOCK_REALTIME), monotonic = late(CLOCK_MONOTONIC);
	bool protect = kind->protocol == PTHREAD_PRIO_PROTECT;
	long fine = protect ? ANYTHING : 0;
	RETURNS(fine, pthread_mutex_lock(mutex));
	RETURNS(fine, pthread_mutex_unlock(mutex));
	RETURNS(fine, pthread_mutex_trylock(mutex));
	RETURNS(fine, pthread_mutex_unlock(mutex));
	const struct timespec *const times[] = { &until, &past, &negative, &no_ns, &too_many_ns };
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		errno = CANARY;
		int error = pthread_mutex_timedlock(mutex, times[i]);
		contract_note("timedlock of a free one", error, fine, errno, CANARY);
		if (error == 0)
			RETURNS(fine, pthread_mutex_unlock(mutex));
	}
	errno = CANARY;
	int error = pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &monotonic);
	/* Priority inheritance with this clock depends on the kernel. */
	contract_note("clocklock of a free one", error, kind->protocol == PTHREAD_PRIO_NONE ? 0 : ANYTHING, errno, CANARY);
	if (error == 0)
		RETURNS(fine, pthread_mutex_unlock(mutex));
	RETURNS(EINVAL, pthread_mutex_clocklock(mutex, 12345, &until));
	RETURNS(EINVAL, pthread_mutex_clocklock(mutex, CLOCK_PROCESS_CPUTIME_ID, &until));
	if (kind->type == PTHREAD_MUTEX_ERRORCHECK || kind->type == PTHREAD_MUTEX_RECURSIVE || kind->robust)
		RETURNS(protect ? ANYTHING : EPERM, pthread_mutex_unlock(mutex));
}

/* What a thread gets that already has it, where that is not to wait for ever. */
static void own(const struct kind *kind, pthread_mutex_t *mutex)
{
	struct timespec until = soon(CLOCK_REALTIME);
	bool protect = kind->protocol == PTHREAD_PRIO_PROTECT;
	if (pthread_mutex_lock(mutex))
		return;
	if (kind->type == PTHREAD_MUTEX_RECURSIVE) {
		RETURNS(0, pthread_mutex_lock(mutex));
		RETURNS(0, pthread_mutex_trylock(mutex));
		RETURNS(0, pthread_mutex_timedlock(mutex, &no_ns));
		unsigned held = (unsigned)mutex->__data.__count;
		mutex->__data.__count = UINT_MAX;
		RETURNS(EAGAIN, pthread_mutex_lock(mutex));
		RETURNS(EAGAIN, pthread_mutex_trylock(mutex));
		RETURNS(EAGAIN, pthread_mutex_timedlock(mutex, &until));
		mutex->__data.__count = held;
		for (int i = 0; i < 3; i++)
			RETURNS(0, pthread_mutex_unlock(mutex));
	} else {
		bool checked = kind->type == PTHREAD_MUTEX_ERRORCHECK;
		bool told = checked && (kind->robust || kind->protocol == PTHREAD_PRIO_INHERIT);
		if (checked)
			RETURNS(EDEADLK, pthread_mutex_lock(mutex));
		RETURNS(protect ? ANYTHING : told ? EDEADLK : EBUSY, pthread_mutex_trylock(mutex));
		RETURNS(checked ? EDEADLK : ETIMEDOUT, pthread_mutex_timedlock(mutex, &until));
		RETURNS(checked ? EDEADLK : ETIMEDOUT, pthread_mutex_timedlock(mutex, &past));
		RETURNS(checked ? EDEADLK : ANYTHING, pthread_mutex_timedlock(mutex, &too_many_ns));
	}
	if (!kind->robust) /* glibc does not look at those */
		RETURNS(EBUSY, pthread_mutex_destroy(mutex));
	RETURNS(protect ? ANYTHING : 0, pthread_mutex_unlock(mutex));
}

struct other {
	const struct kind *kind;
	pthread_mutex_t *mutex;
	_Atomic int tid;
};

/* While somebody else has it. */
static void *others(void *argument)
{
	const struct other *other = argument;
	pthread_mutex_t *mutex = other->mutex;
	const struct kind *kind = other->kind;
	struct timespec until = soon(CLOCK_REALTIME), monotonic = soon(CLOCK_MONOTONIC);
	bool plain = kind->protocol == PTHREAD_PRIO_NONE, protect = kind->protocol == PTHREAD_PRIO_PROTECT;
	RETURNS(protect ? ANYTHING : EBUSY, pthread_mutex_trylock(mutex));
	RETURNS(protect ? ANYTHING : ETIMEDOUT, pthread_mutex_timedlock(mutex, &until));
	RETURNS(protect ? ANYTHING : ETIMEDOUT, pthread_mutex_timedlock(mutex, &past));
	RETURNS(plain ? ETIMEDOUT : ANYTHING, pthread_mutex_timedlock(mutex, &negative));
	RETURNS(plain ? EINVAL : ANYTHING, pthread_mutex_timedlock(mutex, &no_ns));
	RETURNS(plain ? EINVAL : ANYTHING, pthread_mutex_timedlock(mutex, &too_many_ns));
	RETURNS(plain ? ETIMEDOUT : ANYTHING, pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &monotonic));
	RETURNS(protect ? ANYTHING : ETIMEDOUT, pthread_mutex_clocklock(mutex, CLOCK_REALTIME, &until));
	RETURNS(EINVAL, pthread_mutex_clocklock(mutex, 12345, &monotonic));
	if (kind->type == PTHREAD_MUTEX_ERRORCHECK || kind->type == PTHREAD_MUTEX_RECURSIVE || kind->robust || !plain)
		RETURNS(protect ? ANYTHING : EPERM, pthread_mutex_unlock(mutex));
	return NULL;
}

static void *lock_and_unlock(void *argument)
{
	struct other *other = argument;
	atomic_store(&other->tid, contract_tid());
	int locked = pthread_mutex_lock(other->mutex);
	int unlocked_again = pthread_mutex_unlock(other->mutex);
	return (void *)(intptr_t)(locked * 1000 + unlocked_again);
}

static void *timed_lock_and_unlock(void *argument)
{
	struct other *other = argument;
	struct timespec until = late(CLOCK_REALTIME);
	atomic_store(&other->tid, contract_tid());
	int locked = pthread_mutex_timedlock(other->mutex, &until);
	int unlocked_again = pthread_mutex_unlock(other->mutex);
	return (void *)(intptr_t)(locked * 1000 + unlocked_again);
}

/* Three threads wait for it, then each gets it. */
static void waited_for(const struct kind *kind, pthread_mutex_t *mutex)
{
	struct other waiters[3];
	pthread_t threads[3];
	if (pthread_mutex_lock(mutex))
		return;
	for (int i = 0; i < 3; i++) {
		waiters[i] = (struct other){ kind, mutex, 0 };
		threads[i] = contract_start(i == 1 ? timed_lock_and_unlock : lock_and_unlock, &waiters[i]);
		while (!atomic_load(&waiters[i].tid))
			contract_sleep(100000);
		contract_until_asleep(atomic_load(&waiters[i].tid));
	}
	RETURNS(kind->protocol == PTHREAD_PRIO_PROTECT ? ANYTHING : 0, pthread_mutex_unlock(mutex));
	for (int i = 0; i < 3; i++) {
		void *result = NULL;
		pthread_join(threads[i], &result);
		contract_note("lock by a waiter", (long)(intptr_t)result, kind->protocol == PTHREAD_PRIO_PROTECT ? ANYTHING : 0,
		              CANARY, CANARY);
	}
}

static void *unlock_for_another(void *mutex)
{
	RETURNS(0, pthread_mutex_unlock(mutex));
	return NULL;
}

/* A plain mutex as a poor man's semaphore. */
static void unlocked_by_another(void)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	contract_case("mutex unlocked by another thread");
	RETURNS(0, pthread_mutex_lock(&mutex));
	contract_in_thread(unlock_for_another, &mutex);
	RETURNS(0, pthread_mutex_trylock(&mutex));
	RETURNS(0, pthread_mutex_unlock(&mutex));
}

void contract_mutex(void)
{
	for (int i = 0; i < 4 * 3 * 2 * 2; i++) {
		struct kind kind = { i % 4, i / 4 % 3, i / 12 % 2, i / 24 };
		/* In this order in glibc: normal, recursive, errorcheck, adaptive. */
		pthread_mutex_t *mutex = contract_shared(4096);
		contract_case("mutex %s/%s/%s/%s", type_names[kind.type], protocol_names[kind.protocol],
		              kind.shared ? "shared" : "private", kind.robust ? "robust" : "stalled");
		if (!make(&kind, mutex))
			continue;
		unlocked(&kind, mutex);
		own(&kind, mutex);
		errno = CANARY;
		int error = pthread_mutex_lock(mutex);
		if (error == 0) {
			struct other other = { &kind, mutex, 0 };
			contract_in_thread(others, &other);
			pthread_mutex_unlock(mutex);
		}
		waited_for(&kind, mutex);
		RETURNS(kind.protocol == PTHREAD_PRIO_PROTECT ? ANYTHING : 0, pthread_mutex_destroy(mutex));
	}
	unlocked_by_another();
}
