/* contract_rwlock.c - read-write locks of each kind, private and shared, in every state.
 */
#include "contract.h"

#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

static const struct timespec no_ns = { 1ll << 40, -1 }, too_many_ns = { 1ll << 40, 1000000000 };
static const struct timespec negative = { -5, 0 }, past = { 1, 5 };

static void make(int kind, int shared, pthread_rwlock_t *ret_lock)
{
	pthread_rwlockattr_t attributes;
	pthread_rwlockattr_init(&attributes);
	RETURNS(0, pthread_rwlockattr_setkind_np(&attributes, kind));
	RETURNS(0, pthread_rwlockattr_setpshared(&attributes, shared));
	RETURNS(0, pthread_rwlock_init(ret_lock, &attributes));
	pthread_rwlockattr_destroy(&attributes);
}

/* Times and clocks that are wrong, whoever has the lock; `free`: nobody has it, and a time that is over is no matter. */
static void wrong_times(pthread_rwlock_t *lock, bool free_to_read, bool free_to_write)
{
	struct timespec monotonic = contract_after(CLOCK_MONOTONIC, SHORT_NS);
	struct timespec until = contract_after(CLOCK_REALTIME, SHORT_NS);
	RETURNS(EINVAL, pthread_rwlock_timedrdlock(lock, &no_ns));
	RETURNS(EINVAL, pthread_rwlock_timedrdlock(lock, &too_many_ns));
	RETURNS(EINVAL, pthread_rwlock_timedwrlock(lock, &no_ns));
	RETURNS(EINVAL, pthread_rwlock_timedwrlock(lock, &too_many_ns));
	RETURNS(EINVAL, pthread_rwlock_clockrdlock(lock, CLOCK_MONOTONIC, &no_ns));
	RETURNS(EINVAL, pthread_rwlock_clockwrlock(lock, CLOCK_MONOTONIC, &too_many_ns));
	RETURNS(EINVAL, pthread_rwlock_clockrdlock(lock, 12345, &monotonic));
	RETURNS(EINVAL, pthread_rwlock_clockwrlock(lock, CLOCK_THREAD_CPUTIME_ID, &monotonic));
	const struct timespec *const times[] = { &past, &negative, &until };
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		RETURNS(free_to_read ? 0 : ETIMEDOUT, pthread_rwlock_timedrdlock(lock, times[i]));
		if (free_to_read)
			RETURNS(0, pthread_rwlock_unlock(lock));
		RETURNS(free_to_write ? 0 : ETIMEDOUT, pthread_rwlock_timedwrlock(lock, times[i]));
		if (free_to_write)
			RETURNS(0, pthread_rwlock_unlock(lock));
	}
	RETURNS(free_to_read ? 0 : ETIMEDOUT, pthread_rwlock_clockrdlock(lock, CLOCK_MONOTONIC, &monotonic));
	if (free_to_read)
		RETURNS(0, pthread_rwlock_unlock(lock));
	RETURNS(free_to_write ? 0 : ETIMEDOUT, pthread_rwlock_clockwrlock(lock, CLOCK_MONOTONIC, &monotonic));
	if (free_to_write)
		RETURNS(0, pthread_rwlock_unlock(lock));
}

static void unlocked(pthread_rwlock_t *lock)
{
	RETURNS(0, pthread_rwlock_rdlock(lock));
	RETURNS(0, pthread_rwlock_rdlock(lock));
	RETURNS(0, pthread_rwlock_tryrdlock(lock));
	RETURNS(EBUSY, pthread_rwlock_trywrlock(lock));
	for (int i = 0; i < 3; i++)
		RETURNS(0, pthread_rwlock_unlock(lock));
	RETURNS(0, pthread_rwlock_wrlock(lock));
	RETURNS(EDEADLK, pthread_rwlock_wrlock(lock));
	RETURNS(EDEADLK, pthread_rwlock_rdlock(lock));
	RETURNS(EBUSY, pthread_rwlock_trywrlock(lock));
	RETURNS(EBUSY, pthread_rwlock_tryrdlock(lock));
	RETURNS(EDEADLK, pthread_rwlock_timedrdlock(lock, &past));
	RETURNS(EDEADLK, pthread_rwlock_timedwrlock(lock, &past));
	RETURNS(EINVAL, pthread_rwlock_timedwrlock(lock, &no_ns));
	RETURNS(0, pthread_rwlock_unlock(lock));
	RETURNS(0, pthread_rwlock_trywrlock(lock));
	RETURNS(0, pthread_rwlock_unlock(lock));
	wrong_times(lock, true, true);
}

static void *while_read(void *lock)
{
	RETURNS(0, pthread_rwlock_tryrdlock(lock));
	RETURNS(0, pthread_rwlock_unlock(lock));
	RETURNS(EBUSY, pthread_rwlock_trywrlock(lock));
	wrong_times(lock, true, false);
	return NULL;
}

static void *while_written(void *lock)
{
	RETURNS(EBUSY, pthread_rwlock_tryrdlock(lock));
	RETURNS(EBUSY, pthread_rwlock_trywrlock(lock));
	wrong_times(lock, false, false);
	return NULL;
}

struct waiter {
	pthread_rwlock_t *lock;
	_Atomic int tid;
	int form; /* 0 rdlock, 1 wrlock, 2 timedrdlock, 3 timedwrlock, 4 clockrdlock, 5 clockwrlock */
	int result;
};

static void *wait_for_it(void *argument)
{
	struct waiter *waiter = argument;
	struct timespec until = contract_after(waiter->form >= 4 ? CLOCK_MONOTONIC : CLOCK_REALTIME, LONG_NS);
	atomic_store(&waiter->tid, contract_tid());
	switch (waiter->form) {
	case 0:
		waiter->result = pthread_rwlock_rdlock(waiter->lock);
		break;
	case 1:
		waiter->result = pthread_rwlock_wrlock(waiter->lock);
		break;
	case 2:
		waiter->result = pthread_rwlock_timedrdlock(waiter->lock, &until);
		break;
	case 3:
		waiter->result = pthread_rwlock_timedwrlock(waiter->lock, &until);
		break;
	case 4:
		waiter->result = pthread_rwlock_clockrdlock(waiter->lock, CLOCK_MONOTONIC, &until);
		break;
	default:
		waiter->result = pthread_rwlock_clockwrlock(waiter->lock, CLOCK_MONOTONIC, &until);
	}
	if (waiter->result == 0)
		pthread_rwlock_unlock(waiter->lock);
	return NULL;
}

static pthread_t start_waiter(struct waiter *waiter, pthread_rwlock_t *lock, int form)
{
	waiter->lock = lock;
	waiter->form = form;
	waiter->result = -1;
	atomic_store(&waiter->tid, 0);
	pthread_t thread = contract_start(wait_for_it, waiter);
	while (!atomic_load(&waiter->tid))
		contract_sleep(100000);
	contract_until_asleep(atomic_load(&waiter->tid));
	return thread;
}

/* One of each form waits for a writer. */
static void waited_for(pthread_rwlock_t *lock)
{
	struct waiter waiters[6];
	pthread_t threads[6];
	RETURNS(0, pthread_rwlock_wrlock(lock));
	for (int i = 0; i < 6; i++)
		threads[i] = start_waiter(&waiters[i], lock, i);
	RETURNS(0, pthread_rwlock_unlock(lock));
	for (int i = 0; i < 6; i++) {
		pthread_join(threads[i], NULL);
		contract_note("a waiter's lock", waiters[i].result, 0, CANARY, CANARY);
	}
}

static void *read_while_writer_waits(void *argument)
{
	struct waiter *waiter = argument;
	struct timespec until = contract_after(CLOCK_REALTIME, SHORT_NS);
	/* Only the kind that does not expect readers to read again lets a waiting writer go first. */
	bool writers_first = waiter->form == PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP;
	RETURNS(writers_first ? EBUSY : 0, pthread_rwlock_tryrdlock(waiter->lock));
	if (!writers_first)
		RETURNS(0, pthread_rwlock_unlock(waiter->lock));
	RETURNS(writers_first ? ETIMEDOUT : 0, pthread_rwlock_timedrdlock(waiter->lock, &until));
	if (!writers_first)
		RETURNS(0, pthread_rwlock_unlock(waiter->lock));
	return NULL;
}

/* A writer waits for a reader, and more readers come. */
static void preferred(pthread_rwlock_t *lock, int kind)
{
	struct waiter writer, reader = { .lock = lock, .form = kind };
	RETURNS(0, pthread_rwlock_rdlock(lock));
	pthread_t thread = start_waiter(&writer, lock, 1);
	contract_in_thread(read_while_writer_waits, &reader);
	RETURNS(0, pthread_rwlock_unlock(lock));
	pthread_join(thread, NULL);
	contract_note("the writer's lock", writer.result, 0, CANARY, CANARY);
}

static void of_processes(pthread_rwlock_t *lock)
{
	_Atomic int *tried = contract_shared(sizeof(*tried));
	RETURNS(0, pthread_rwlock_wrlock(lock));
	pid_t child = fork();
	if (child == 0) {
		struct timespec until = contract_after(CLOCK_REALTIME, LONG_NS);
		int busy = pthread_rwlock_trywrlock(lock);
		atomic_store(tried, 1);
		if (busy != EBUSY || pthread_rwlock_timedwrlock(lock, &until) || pthread_rwlock_unlock(lock))
			_exit(1);
		_exit(pthread_rwlock_rdlock(lock) || pthread_rwlock_unlock(lock) ? 2 : 0);
	}
	while (!atomic_load(tried))
		contract_sleep(100000);
	contract_sleep(SHORT_NS);
	RETURNS(0, pthread_rwlock_unlock(lock));
	HOLDS(contract_reap(child) == 0);
}

void contract_rwlock(void)
{
	static const int kinds[] = { PTHREAD_RWLOCK_PREFER_READER_NP, PTHREAD_RWLOCK_PREFER_WRITER_NP,
		                         PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP };
	for (int i = 0; i < 6; i++) {
		pthread_rwlock_t *lock = contract_shared(4096);
		contract_case("rwlock kind %d %s", kinds[i % 3], i / 3 ? "shared" : "private");
		make(kinds[i % 3], i / 3, lock);
		unlocked(lock);
		RETURNS(0, pthread_rwlock_rdlock(lock));
		contract_in_thread(while_read, lock);
		RETURNS(0, pthread_rwlock_unlock(lock));
		RETURNS(0, pthread_rwlock_wrlock(lock));
		contract_in_thread(while_written, lock);
		RETURNS(0, pthread_rwlock_unlock(lock));
		waited_for(lock);
		preferred(lock, kinds[i % 3]);
		if (i / 3)
			of_processes(lock);
		RETURNS(0, pthread_rwlock_destroy(lock));
	}
}
