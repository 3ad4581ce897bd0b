/* waits.c - the wrappers of locks, conditions, sleeps and waits for signals and children, and what happens to a publication
 * when the stack is unwound through a wrapper. Descriptors and sockets are in waits_io.c.
 *
 * Locks are tried first: an uncontended one costs no publication. Only a plain "busy" goes on to the blocking call; whatever
 * else the attempt says (taken, taken from a dead owner, an error) is what the lock call would have said. The timed forms check
 * their time before they try, and some are cancellation points, so they are called at once.
 */
#include "runtime/hooks/wait.h"

#include <assert.h>
#include <errno.h>
#include <unwind.h>

void wait_abandon(void)
{
	struct thread_record *record = tls.thread;
	if (record && record != &thread_nobody)
		wait_end(record);
}

/* Called by the host's unwinder for each frame of a wrapper: the publication goes, the unwinding goes on. It asks the unwinder
 * for nothing, so that libcpprof needs no libgcc_s. Named in assembly (WAIT_UNWINDS). */
_Unwind_Reason_Code cpprof_wait_personality(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
                                            struct _Unwind_Exception *exception, struct _Unwind_Context *context)
		__attribute__((used));

_Unwind_Reason_Code cpprof_wait_personality(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
                                            struct _Unwind_Exception *exception, struct _Unwind_Context *context)
{
	(void)version;
	(void)class;
	(void)exception;
	(void)context;
	if (actions & _UA_CLEANUP_PHASE)
		wait_abandon();
	return _URC_CONTINUE_UNWIND;
}

HOOK int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	int result = REAL(pthread_mutex_trylock)(mutex);
	if (result != EBUSY)
		return result;
	WAIT_ENTER(pthread_mutex_lock, mutex, -1);
	result = REAL(pthread_mutex_lock)(mutex);
	WAIT_LEAVE();
	return result;
}

HOOK int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict until)
{
	WAIT_ENTER(pthread_mutex_timedlock, mutex, -1);
	int result = REAL(pthread_mutex_timedlock)(mutex, until);
	WAIT_LEAVE();
	return result;
}

HOOK int pthread_mutex_clocklock(pthread_mutex_t *restrict mutex, clockid_t clock,
                                 const struct timespec *restrict until)
{
	WAIT_ENTER(pthread_mutex_clocklock, mutex, -1);
	int result = REAL(pthread_mutex_clocklock)(mutex, clock, until);
	WAIT_LEAVE();
	return result;
}

HOOK int pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
	int result = REAL(pthread_rwlock_tryrdlock)(lock);
	if (result != EBUSY)
		return result;
	WAIT_ENTER(pthread_rwlock_rdlock, lock, -1);
	result = REAL(pthread_rwlock_rdlock)(lock);
	WAIT_LEAVE();
	return result;
}

HOOK int pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
	int result = REAL(pthread_rwlock_trywrlock)(lock);
	if (result != EBUSY)
		return result;
	WAIT_ENTER(pthread_rwlock_wrlock, lock, -1);
	result = REAL(pthread_rwlock_wrlock)(lock);
	WAIT_LEAVE();
	return result;
}

HOOK int pthread_rwlock_timedrdlock(pthread_rwlock_t *restrict lock, const struct timespec *restrict until)
{
	WAIT_ENTER(pthread_rwlock_timedrdlock, lock, -1);
	int result = REAL(pthread_rwlock_timedrdlock)(lock, until);
	WAIT_LEAVE();
	return result;
}

HOOK int pthread_rwlock_timedwrlock(pthread_rwlock_t *restrict lock, const struct timespec *restrict until)
{
	WAIT_ENTER(pthread_rwlock_timedwrlock, lock, -1);
	int result = REAL(pthread_rwlock_timedwrlock)(lock, until);
	WAIT_LEAVE();
	return result;
}

HOOK int pthread_rwlock_clockrdlock(pthread_rwlock_t *restrict lock, clockid_t clock,
                                    const struct timespec *restrict until)
{
	WAIT_ENTER(pthread_rwlock_clockrdlock, lock, -1);
	int result = REAL(pthread_rwlock_clockrdlock)(lock, clock, until);
	WAIT_LEAVE();
	return result;
}

HOOK int pthread_rwlock_clockwrlock(pthread_rwlock_t *restrict lock, clockid_t clock,
                                    const struct timespec *restrict until)
{
	WAIT_ENTER(pthread_rwlock_clockwrlock, lock, -1);
	int result = REAL(pthread_rwlock_clockwrlock)(lock, clock, until);
	WAIT_LEAVE();
	return result;
}

HOOK int pthread_cond_wait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex)
{
	WAIT_ENTER(pthread_cond_wait, condition, -1);
	int result = REAL(pthread_cond_wait)(condition, mutex);
	WAIT_LEAVE();
	return result;
}

HOOK int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                                const struct timespec *restrict until)
{
	WAIT_ENTER(pthread_cond_timedwait, condition, -1);
	int result = REAL(pthread_cond_timedwait)(condition, mutex, until);
	WAIT_LEAVE();
	return result;
}

HOOK int pthread_cond_clockwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex, clockid_t clock,
                                const struct timespec *restrict until)
{
	WAIT_ENTER(pthread_cond_clockwait, condition, -1);
	int result = REAL(pthread_cond_clockwait)(condition, mutex, clock, until);
	WAIT_LEAVE();
	return result;
}

HOOK int pthread_barrier_wait(pthread_barrier_t *barrier)
{
	WAIT_ENTER(pthread_barrier_wait, barrier, -1);
	int result = REAL(pthread_barrier_wait)(barrier);
	WAIT_LEAVE();
	return result;
}

HOOK int sem_wait(sem_t *semaphore)
{
	/* sem_wait acts on a pending cancellation even if it need not wait; and a failed attempt sets errno. */
	pthread_testcancel();
	int saved = errno;
	if (REAL(sem_trywait)(semaphore) == 0)
		return 0;
	errno = saved;
	WAIT_ENTER(sem_wait, semaphore, -1);
	int result = REAL(sem_wait)(semaphore);
	WAIT_LEAVE();
	return result;
}

HOOK int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until)
{
	WAIT_ENTER(sem_timedwait, semaphore, -1);
	int result = REAL(sem_timedwait)(semaphore, until);
	WAIT_LEAVE();
	return result;
}

HOOK int sem_clockwait(sem_t *restrict semaphore, clockid_t clock, const struct timespec *restrict until)
{
	WAIT_ENTER(sem_clockwait, semaphore, -1);
	int result = REAL(sem_clockwait)(semaphore, clock, until);
	WAIT_LEAVE();
	return result;
}

HOOK int mtx_lock(mtx_t *mutex)
{
	int result = REAL(mtx_trylock)(mutex);
	if (result != thrd_busy)
		return result;
	WAIT_ENTER(mtx_lock, mutex, -1);
	result = REAL(mtx_lock)(mutex);
	WAIT_LEAVE();
	return result;
}

HOOK int mtx_timedlock(mtx_t *restrict mutex, const struct timespec *restrict until)
{
	WAIT_ENTER(mtx_timedlock, mutex, -1);
	int result = REAL(mtx_timedlock)(mutex, until);
	WAIT_LEAVE();
	return result;
}

HOOK int cnd_wait(cnd_t *condition, mtx_t *mutex)
{
	WAIT_ENTER(cnd_wait, condition, -1);
	int result = REAL(cnd_wait)(condition, mutex);
	WAIT_LEAVE();
	return result;
}

HOOK int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict until)
{
	WAIT_ENTER(cnd_timedwait, condition, -1);
	int result = REAL(cnd_timedwait)(condition, mutex, until);
	WAIT_LEAVE();
	return result;
}

HOOK int thrd_sleep(const struct timespec *time, struct timespec *ret_left)
{
	WAIT_ENTER(thrd_sleep, 0, -1);
	int result = REAL(thrd_sleep)(time, ret_left);
	WAIT_LEAVE();
	return result;
}

HOOK int nanosleep(const struct timespec *time, struct timespec *ret_left)
{
	WAIT_ENTER(nanosleep, 0, -1);
	int result = REAL(nanosleep)(time, ret_left);
	WAIT_LEAVE();
	return result;
}

HOOK int clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *ret_left)
{
	WAIT_ENTER(clock_nanosleep, 0, -1);
	int result = REAL(clock_nanosleep)(clock, flags, time, ret_left);
	WAIT_LEAVE();
	return result;
}

HOOK int usleep(useconds_t time)
{
	WAIT_ENTER(usleep, 0, -1);
	int result = REAL(usleep)(time);
	WAIT_LEAVE();
	return result;
}

HOOK unsigned sleep(unsigned seconds)
{
	WAIT_ENTER(sleep, 0, -1);
	unsigned left = REAL(sleep)(seconds);
	WAIT_LEAVE();
	return left;
}

HOOK int pause(void)
{
	WAIT_ENTER(pause, 0, -1);
	int result = REAL(pause)();
	WAIT_LEAVE();
	return result;
}

HOOK int sigwait(const sigset_t *restrict set, int *restrict ret_signal)
{
	WAIT_ENTER(sigwait, 0, -1);
	int result = REAL(sigwait)(set, ret_signal);
	WAIT_LEAVE();
	return result;
}

HOOK int sigwaitinfo(const sigset_t *restrict set, siginfo_t *restrict ret_info)
{
	WAIT_ENTER(sigwaitinfo, 0, -1);
	int result = REAL(sigwaitinfo)(set, ret_info);
	WAIT_LEAVE();
	return result;
}

HOOK int sigtimedwait(const sigset_t *restrict set, siginfo_t *restrict ret_info, const struct timespec *restrict time)
{
	WAIT_ENTER(sigtimedwait, 0, -1);
	int result = REAL(sigtimedwait)(set, ret_info, time);
	WAIT_LEAVE();
	return result;
}

HOOK int sigsuspend(const sigset_t *set)
{
	WAIT_ENTER(sigsuspend, 0, -1);
	int result = REAL(sigsuspend)(set);
	WAIT_LEAVE();
	return result;
}

HOOK pid_t wait(int *ret_status)
{
	WAIT_ENTER(wait, 0, -1);
	pid_t result = REAL(wait)(ret_status);
	WAIT_LEAVE();
	return result;
}

HOOK pid_t waitpid(pid_t pid, int *ret_status, int options)
{
	WAIT_ENTER(waitpid, pid, -1);
	pid_t result = REAL(waitpid)(pid, ret_status, options);
	WAIT_LEAVE();
	return result;
}

HOOK pid_t wait3(int *ret_status, int options, struct rusage *ret_usage)
{
	WAIT_ENTER(wait3, 0, -1);
	pid_t result = REAL(wait3)(ret_status, options, ret_usage);
	WAIT_LEAVE();
	return result;
}

HOOK pid_t wait4(pid_t pid, int *ret_status, int options, struct rusage *ret_usage)
{
	WAIT_ENTER(wait4, pid, -1);
	pid_t result = REAL(wait4)(pid, ret_status, options, ret_usage);
	WAIT_LEAVE();
	return result;
}

HOOK int waitid(idtype_t type, id_t id, siginfo_t *ret_info, int options)
{
	WAIT_ENTER(waitid, id, -1);
	int result = REAL(waitid)(type, id, ret_info, options);
	WAIT_LEAVE();
	return result;
}

HOOK int semop(int set, struct sembuf *operations, size_t count)
{
	WAIT_ENTER(semop, set, -1);
	int result = REAL(semop)(set, operations, count);
	WAIT_LEAVE();
	return result;
}

HOOK int semtimedop(int set, struct sembuf *operations, size_t count, const struct timespec *time)
{
	WAIT_ENTER(semtimedop, set, -1);
	int result = REAL(semtimedop)(set, operations, count, time);
	WAIT_LEAVE();
	return result;
}

HOOK ssize_t msgrcv(int queue, void *to, size_t size, long type, int flags)
{
	WAIT_ENTER(msgrcv, queue, -1);
	ssize_t result = REAL(msgrcv)(queue, to, size, type, flags);
	WAIT_LEAVE();
	return result;
}

HOOK int msgsnd(int queue, const void *from, size_t size, int flags)
{
	WAIT_ENTER(msgsnd, queue, -1);
	int result = REAL(msgsnd)(queue, from, size, flags);
	WAIT_LEAVE();
	return result;
}
