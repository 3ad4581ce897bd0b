/* waits_cond.c - the wrappers of conditions, barriers and semaphores.
 *
 * A wait for a condition gives its mutex back, and that is an unlock: who does it is charged for those who wait for the mutex. It is
 * recorded at once, since the call may never return. Taking the mutex again, inside libc, is part of the wait for the condition.
 */
#include "runtime/hooks/wait.h"

#include <assert.h>
#include <errno.h>

#include "runtime/hooks/waiters.h"

/* The mutex is about to be given back by the function this stands in. */
#define COND_UNLOCKS(mutex) \
	do { \
		struct wait_weight charged = { 0, 0 }; \
		if (HOOK_UNLIKELY(atomic_load_explicit(&waiters_total, memory_order_relaxed) != 0)) \
			charged = unlock_charge((uintptr_t)(mutex)); \
		if (HOOK_UNLIKELY(charged.count)) { \
			struct contention charge = { \
				CONTENTION_MUTEX, WAIT_NONE, 0, (uintptr_t)(mutex), charged.count, charged.ns \
			}; \
			struct unwind_registers here; \
			UNWIND_HERE(&here); \
			wait_record(&charge, &here); \
		} \
	} while (0)

HOOK int pthread_cond_wait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex)
{
	COND_UNLOCKS(mutex);
	WAIT_ENTER(pthread_cond_wait, condition, -1);
	int result = REAL(pthread_cond_wait)(condition, mutex);
	WAIT_LEAVE();
	return result;
}

HOOK int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                                const struct timespec *restrict until)
{
	COND_UNLOCKS(mutex);
	WAIT_ENTER(pthread_cond_timedwait, condition, -1);
	int result = REAL(pthread_cond_timedwait)(condition, mutex, until);
	WAIT_LEAVE();
	return result;
}

HOOK int pthread_cond_clockwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex, clockid_t clock,
                                const struct timespec *restrict until)
{
	COND_UNLOCKS(mutex);
	WAIT_ENTER(pthread_cond_clockwait, condition, -1);
	int result = REAL(pthread_cond_clockwait)(condition, mutex, clock, until);
	WAIT_LEAVE();
	return result;
}

HOOK int cnd_wait(cnd_t *condition, mtx_t *mutex)
{
	COND_UNLOCKS(mutex);
	WAIT_ENTER(cnd_wait, condition, -1);
	int result = REAL(cnd_wait)(condition, mutex);
	WAIT_LEAVE();
	return result;
}

HOOK int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict until)
{
	COND_UNLOCKS(mutex);
	WAIT_ENTER(cnd_timedwait, condition, -1);
	int result = REAL(cnd_timedwait)(condition, mutex, until);
	WAIT_LEAVE();
	return result;
}

HOOK int pthread_barrier_wait(pthread_barrier_t *barrier)
{
	WAIT_ENTER(pthread_barrier_wait, barrier, -1);
	int result = REAL(pthread_barrier_wait)(barrier);
	/* Who comes last does not wait. */
	WAIT_LEAVE_UNLESS_SHORT();
	return result;
}

/* True if the semaphore could be taken at once. A failed attempt leaves no errno. */
static inline bool take_at_once(sem_t *semaphore)
{
	int saved = errno;
	if (__builtin_expect(REAL(sem_trywait)(semaphore) == 0, 1))
		return true;
	errno = saved;
	return false;
}

HOOK int sem_wait(sem_t *semaphore)
{
	/* Like sem_timedwait, and unlike sem_clockwait, it acts on a pending cancellation even if it need not wait. */
	pthread_testcancel();
	if (take_at_once(semaphore))
		return 0;
	WAIT_ENTER(sem_wait, semaphore, -1);
	int result = REAL(sem_wait)(semaphore);
	WAIT_LEAVE();
	return result;
}

HOOK int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until)
{
	if (wait_time_is_plain(CLOCK_REALTIME, until)) {
		pthread_testcancel();
		if (take_at_once(semaphore))
			return 0;
	}
	WAIT_ENTER(sem_timedwait, semaphore, -1);
	int result = REAL(sem_timedwait)(semaphore, until);
	WAIT_LEAVE();
	return result;
}

HOOK int sem_clockwait(sem_t *restrict semaphore, clockid_t clock, const struct timespec *restrict until)
{
	if (wait_time_is_plain(clock, until) && take_at_once(semaphore))
		return 0;
	WAIT_ENTER(sem_clockwait, semaphore, -1);
	int result = REAL(sem_clockwait)(semaphore, clock, until);
	WAIT_LEAVE();
	return result;
}
