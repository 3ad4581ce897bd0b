/* waits.c - the wrappers of sleeps and of waits for signals, children and System V objects; and what all wrappers share: what comes before a
 * publication that is not plain, and what happens to one when the stack is unwound through a wrapper. Locks are in waits_lock.c,
 * conditions and semaphores in waits_cond.c, descriptors in waits_io.c.
 */
#include "runtime/hooks/sigaction.h"
#include "runtime/hooks/wait.h"

#include <assert.h>
#include <unwind.h>

#include "runtime/hooks/waiters.h"
#include "runtime/life.h"

__attribute__((noinline)) struct thread_record *wait_begin_slow(int fd)
{
	if (tls.guard || hooks_off)
		return NULL;
	process_check();
	life_waits(fd);
	if (atomic_load_explicit(&life_settled, memory_order_relaxed)) {
		process_open();
		/* Switched off in the meantime, and closed before it was opened. */
		if (__atomic_load_n(&hooks_off, __ATOMIC_SEQ_CST))
			process_close();
	}
	return thread_self();
}

static void leave_locks(struct thread_record *record)
{
	for (uint32_t place = 0; place < THREAD_LOCK_WAITS; place++) {
		uint64_t entered = atomic_load_explicit(&record->waits_for[place], memory_order_relaxed);
		if (!entered)
			continue;
		atomic_store_explicit(&record->waits_for[place], 0, memory_order_relaxed);
		waiters_leave(entered, ticks_now());
	}
}

void wait_abandon(void)
{
	struct thread_record *record = tls.thread;
	if (!record || record == &thread_nobody)
		return;
	wait_end(record);
	leave_locks(record);
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
	sigset_t room;
	int result = REAL(sigwait)(signals_without_ours(set, &room), ret_signal);
	WAIT_LEAVE();
	return result;
}

HOOK int sigwaitinfo(const sigset_t *restrict set, siginfo_t *restrict ret_info)
{
	WAIT_ENTER(sigwaitinfo, 0, -1);
	sigset_t room;
	int result = REAL(sigwaitinfo)(signals_without_ours(set, &room), ret_info);
	WAIT_LEAVE();
	return result;
}

HOOK int sigtimedwait(const sigset_t *restrict set, siginfo_t *restrict ret_info, const struct timespec *restrict time)
{
	WAIT_ENTER(sigtimedwait, 0, -1);
	sigset_t room;
	int result = REAL(sigtimedwait)(signals_without_ours(set, &room), ret_info, time);
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
