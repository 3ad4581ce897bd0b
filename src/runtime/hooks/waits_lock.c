/* waits_lock.c - the wrappers of mutexes and read-write locks: taking and giving back.
 *
 * Locks are tried first: an uncontended one costs no publication and no clock. Only a plain "busy" goes on to the blocking call;
 * whatever else the attempt says (taken, taken from a dead owner, an error) is what the lock call would have said. So it is with the timed
 * forms, if clock and time are such that none of them, for no kind of lock, would refuse them.
 *
 * While a thread waits it is in the table of waiters, and who unlocks is charged for it. An unlock looks at one word, and
 * only while somebody waits for some lock does more. What it is charged with is recorded after the lock is given back, whose memory may be
 * gone by then.
 */
#include "runtime/hooks/wait.h"

#include <assert.h>
#include <errno.h>

#include "runtime/hooks/syscall.h"
#include "runtime/hooks/waiters.h"

#define NO_PLACE THREAD_LOCK_WAITS

/* From now on who unlocks is charged. Returns where the record keeps it, or NO_PLACE: the profiles are off, or all places are taken. */
static __attribute__((noinline)) uint32_t lock_enter(struct thread_record *record, const void *lock, uint64_t since)
{
	if (!record || !since)
		return NO_PLACE;
	for (uint32_t place = 0; place < THREAD_LOCK_WAITS; place++) {
		if (atomic_load_explicit(&record->waits_for[place], memory_order_relaxed))
			continue;
		atomic_store_explicit(&record->waits_for[place], waiters_enter((uintptr_t)lock, since), memory_order_relaxed);
		return place;
	}
	return NO_PLACE;
}

/* Nothing, if a jump out of a handler has left it already. */
static __attribute__((noinline)) void lock_leave(struct thread_record *record, uint32_t place)
{
	if (place == NO_PLACE)
		return;
	uint64_t entered = atomic_load_explicit(&record->waits_for[place], memory_order_relaxed);
	atomic_store_explicit(&record->waits_for[place], 0, memory_order_relaxed);
	if (entered)
		waiters_leave(entered, ticks_now());
}

/* The lock is busy: waits for it in `call`. One that is refused for what it is has not been waited for. */
#define LOCK_WAIT_IF(is_wait, call_name, lock, call) \
	WAIT_ENTER(call_name, lock, -1); \
	uint32_t place = lock_enter(waiting, lock, waiting_since); \
	result = (call); \
	lock_leave(waiting, place); \
	WAIT_LEAVE_IF(is_wait); \
	return result

#define LOCK_WAIT(call_name, lock, call) LOCK_WAIT_IF(result != EDEADLK && result != EINVAL, call_name, lock, call)

/* Robust mutexes are not tried: glibc's trylock of one that cannot be recovered says so, and takes it all the same, so that the next who locks
 * it waits for ever. Then a lock that took no longer than a call takes has not been waited for. */
static inline bool is_robust(const pthread_mutex_t *mutex)
{
	return mutex->__data.__kind & 16; /* PTHREAD_MUTEX_ROBUST_NORMAL_NP, in glibc's own headers; in all robust kinds */
}
#define MUTEX_WAIT(call_name, mutex, call) \
	LOCK_WAIT_IF(result != EDEADLK && result != EINVAL && result != ENOTRECOVERABLE && \
	                     (!robust || waited >= wait_floor_ticks), \
	             call_name, mutex, call)

/* The body of an unlock, which goes straight on while nobody waits for any lock: the second name of the lock keeps the compiler from
 * making a frame for that, too. */
#define LOCK_UNLOCK(call_name, lock) \
	__typeof__(&call_name) real = real_calls.call_name; \
	if (__builtin_expect(real && atomic_load_explicit(&waiters_total, memory_order_relaxed) == 0, 1)) \
		return real(lock); \
	__typeof__(lock) unlocked = lock; \
	__asm__("" : "+r"(unlocked)); \
	struct wait_weight weight = unlock_charge((uintptr_t)unlocked); \
	int result = REAL(call_name)(unlocked); \
	if (HOOK_UNLIKELY(weight.count && result == 0)) { \
		struct contention charge = { CONTENTION_MUTEX, WAIT_NONE, 0, (uintptr_t)unlocked, weight.count, weight.ns }; \
		struct unwind_registers here; \
		UNWIND_HERE(&here); \
		wait_record(&charge, &here); \
	} \
	return result

#define SHORT_LOOKS 12 /* at a busy mutex, some 25 ns each, before it is waited for */

/* Most critical sections are over within 300 ns, which is less than it costs to go to sleep, and to be waited for. The mutex's word is 0 while
 * nobody has it, of whatever kind it is. True: it has been taken, or something is to be said about it. */
static inline bool is_soon_ours(pthread_mutex_t *mutex, int *ret_result)
{
	for (int looks = 0; looks < SHORT_LOOKS; looks++) {
		__builtin_ia32_pause();
		if (__atomic_load_n(&mutex->__data.__lock, __ATOMIC_RELAXED))
			continue;
		*ret_result = REAL(pthread_mutex_trylock)(mutex);
		if (*ret_result != EBUSY)
			return true;
	}
	return false;
}

/* A function of its own, so that the way of an uncontended lock saves no registers; it goes by the hook's name (wait_leaf). */
static __attribute__((noinline)) int mutex_lock_busy(pthread_mutex_t *mutex)
{
	const bool robust = is_robust(mutex);
	int result = EBUSY;
	if (!robust && is_soon_ours(mutex, &result))
		return result;
	MUTEX_WAIT(pthread_mutex_lock, mutex, REAL(pthread_mutex_lock)(mutex));
}

HOOK int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	if (HOOK_UNLIKELY(is_robust(mutex)))
		return mutex_lock_busy(mutex);
	int result = real_calls.pthread_mutex_trylock(mutex);
	return __builtin_expect(result != EBUSY, 1) ? result : mutex_lock_busy(mutex);
}

int cpprof_mutex_lock_hook(pthread_mutex_t *mutex)
		__attribute__((alias("pthread_mutex_lock"), visibility("hidden"), nothrow, nonnull(1)));

uintptr_t wait_leaf(enum wait_call call, uintptr_t leaf)
{
	switch (call) {
	case WAIT_syscall:
		return syscall_hook_address();
	case WAIT_pthread_mutex_lock:
		return (uintptr_t)cpprof_mutex_lock_hook;
	default:
		return leaf;
	}
}

HOOK int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict until)
{
	const bool robust = is_robust(mutex);
	int result = !robust && wait_time_is_plain(CLOCK_REALTIME, until) ? REAL(pthread_mutex_trylock)(mutex) : EBUSY;
	if (__builtin_expect(result != EBUSY, 1))
		return result;
	MUTEX_WAIT(pthread_mutex_timedlock, mutex, REAL(pthread_mutex_timedlock)(mutex, until));
}

HOOK int pthread_mutex_clocklock(pthread_mutex_t *restrict mutex, clockid_t clock,
                                 const struct timespec *restrict until)
{
	const bool robust = is_robust(mutex);
	int result = !robust && wait_time_is_plain(clock, until) ? REAL(pthread_mutex_trylock)(mutex) : EBUSY;
	if (__builtin_expect(result != EBUSY, 1))
		return result;
	MUTEX_WAIT(pthread_mutex_clocklock, mutex, REAL(pthread_mutex_clocklock)(mutex, clock, until));
}

HOOK int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	if (__builtin_expect(atomic_load_explicit(&waiters_total, memory_order_relaxed) == 0, 1))
		return real_calls.pthread_mutex_unlock(mutex);
	LOCK_UNLOCK(pthread_mutex_unlock, mutex);
}

HOOK int pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
	int result = REAL(pthread_rwlock_tryrdlock)(lock);
	if (__builtin_expect(result != EBUSY, 1))
		return result;
	LOCK_WAIT(pthread_rwlock_rdlock, lock, REAL(pthread_rwlock_rdlock)(lock));
}

HOOK int pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
	int result = REAL(pthread_rwlock_trywrlock)(lock);
	if (__builtin_expect(result != EBUSY, 1))
		return result;
	LOCK_WAIT(pthread_rwlock_wrlock, lock, REAL(pthread_rwlock_wrlock)(lock));
}

HOOK int pthread_rwlock_timedrdlock(pthread_rwlock_t *restrict lock, const struct timespec *restrict until)
{
	int result = wait_time_is_plain(CLOCK_REALTIME, until) ? REAL(pthread_rwlock_tryrdlock)(lock) : EBUSY;
	if (__builtin_expect(result != EBUSY, 1))
		return result;
	LOCK_WAIT(pthread_rwlock_timedrdlock, lock, REAL(pthread_rwlock_timedrdlock)(lock, until));
}

HOOK int pthread_rwlock_timedwrlock(pthread_rwlock_t *restrict lock, const struct timespec *restrict until)
{
	int result = wait_time_is_plain(CLOCK_REALTIME, until) ? REAL(pthread_rwlock_trywrlock)(lock) : EBUSY;
	if (__builtin_expect(result != EBUSY, 1))
		return result;
	LOCK_WAIT(pthread_rwlock_timedwrlock, lock, REAL(pthread_rwlock_timedwrlock)(lock, until));
}

HOOK int pthread_rwlock_clockrdlock(pthread_rwlock_t *restrict lock, clockid_t clock,
                                    const struct timespec *restrict until)
{
	int result = wait_time_is_plain(clock, until) ? REAL(pthread_rwlock_tryrdlock)(lock) : EBUSY;
	if (__builtin_expect(result != EBUSY, 1))
		return result;
	LOCK_WAIT(pthread_rwlock_clockrdlock, lock, REAL(pthread_rwlock_clockrdlock)(lock, clock, until));
}

HOOK int pthread_rwlock_clockwrlock(pthread_rwlock_t *restrict lock, clockid_t clock,
                                    const struct timespec *restrict until)
{
	int result = wait_time_is_plain(clock, until) ? REAL(pthread_rwlock_trywrlock)(lock) : EBUSY;
	if (__builtin_expect(result != EBUSY, 1))
		return result;
	LOCK_WAIT(pthread_rwlock_clockwrlock, lock, REAL(pthread_rwlock_clockwrlock)(lock, clock, until));
}

HOOK int pthread_rwlock_unlock(pthread_rwlock_t *lock)
{
	LOCK_UNLOCK(pthread_rwlock_unlock, lock);
}

HOOK int mtx_lock(mtx_t *mutex)
{
	int result = REAL(mtx_trylock)(mutex);
	if (__builtin_expect(result != thrd_busy, 1))
		return result;
	LOCK_WAIT(mtx_lock, mutex, REAL(mtx_lock)(mutex));
}

HOOK int mtx_timedlock(mtx_t *restrict mutex, const struct timespec *restrict until)
{
	int result = wait_time_is_plain(CLOCK_REALTIME, until) ? REAL(mtx_trylock)(mutex) : thrd_busy;
	if (__builtin_expect(result != thrd_busy, 1))
		return result;
	LOCK_WAIT(mtx_timedlock, mutex, REAL(mtx_timedlock)(mutex, until));
}

HOOK int mtx_unlock(mtx_t *mutex)
{
	LOCK_UNLOCK(mtx_unlock, mutex);
}
