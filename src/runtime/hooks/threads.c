/* threads.c - the hooks of thread creation, joining and detaching: they give each thread its record, with the stack that made
 * it, and take the record back when the thread has ended and nobody can ask for it any more.
 *
 * A thread's end is seen in the frame of our start routine: when the host's routine returns, or when pthread_exit,
 * thrd_exit or cancellation unwinds through it (its personality routine, see wait.h). What escapes both, a dump notices
 * (collect/threads.c).
 *
 * Which record a pthread_t belongs to is read from that thread's own thread-local block, at the same distance from its
 * descriptor as ours is from ours. It exists as long as the thread may be joined, so we read it before the real call.
 */
#include "runtime/hooks/threads.h"

#include <assert.h>
#include <errno.h>
#include <unwind.h>

#include "runtime/hooks/wait.h"
#include "runtime/life.h"
#include "runtime/shared/frames.h"
#include "runtime/shared/stack_table.h"
#include "runtime/shared/sys.h"
#include "runtime/signal/cpu_sample.h"

/* What others look for in a thread: its record, which stays here when tls.thread has gone; and what they leave there. */
struct joining {
	_Atomic(struct thread_record *) record;
	/* Set by a joiner or a detacher who came before the thread had its record: it frees that itself at its end. */
	_Atomic uint32_t claimed;
};
static __thread struct joining joining __attribute__((tls_model("initial-exec")));

static struct joining *joining_of(pthread_t thread)
{
	return (struct joining *)((uintptr_t)thread + ((uintptr_t)&joining - (uintptr_t)pthread_self()));
}

/* Somebody is about to join or detach the thread: its record, or NULL if it has not begun; then it is told. */
static struct thread_record *claim(pthread_t thread)
{
	struct joining *theirs = joining_of(thread);
	struct thread_record *record = atomic_load(&theirs->record);
	if (record)
		return record;
	atomic_store(&theirs->claimed, 1);
	return atomic_load(&theirs->record);
}

/* The bounds of the new thread's stack, from what it was asked to be: its descriptor stands at the upper end. Low is never below
 * the true end, since a cached stack that glibc takes again may be larger than asked for. Called in the new thread. */
static void find_stack(struct thread_record *record)
{
	size_t size = record->stack_size;
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	uintptr_t high = (uintptr_t)pthread_self();
	if (here >= high || high - here >= size)
		return;
	record->stack_high = high;
	record->stack_low = high - size < here ? high - size : 0;
}

static void end_self(void)
{
	struct thread_record *record = tls.thread;
	if (!record || record == &thread_nobody)
		return;
	if (atomic_load(&joining.claimed))
		atomic_store(&record->detached, 1);
	wait_abandon();
	tls.thread = &thread_nobody;
	cpu_self_end();
	thread_record_ended(record);
}

/* Called by the unwinder when pthread_exit or cancellation leaves a start routine; see wait.h for the how. */
_Unwind_Reason_Code cpprof_thread_personality(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
                                              struct _Unwind_Exception *exception, struct _Unwind_Context *context)
		__attribute__((used));

_Unwind_Reason_Code cpprof_thread_personality(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
                                              struct _Unwind_Exception *exception, struct _Unwind_Context *context)
{
	(void)version;
	(void)class;
	(void)exception;
	(void)context;
	if (actions & _UA_CLEANUP_PHASE)
		end_self();
	return _URC_CONTINUE_UNWIND;
}

#define THREAD_UNWINDS __asm__ volatile(".cfi_personality 0x1b, cpprof_thread_personality")

/* In the new thread: its record becomes its own. */
static void begin_self(struct thread_record *record)
{
	record->pthread = pthread_self();
	find_stack(record);
	atomic_store(&record->tid, sys_gettid());
	tls.thread = record;
	atomic_store(&joining.record, record);
	cpu_self_begin(record->start_routine);
}

static void *begin_pthread(void *argument)
{
	THREAD_UNWINDS;
	struct thread_record *record = argument;
	void *(*routine)(void *) = (void *(*)(void *))record->start_routine;
	void *routine_argument = record->start_argument;
	begin_self(record);
	void *result = routine(routine_argument);
	end_self();
	return result;
}

static int begin_thrd(void *argument)
{
	THREAD_UNWINDS;
	struct thread_record *record = argument;
	int (*routine)(void *) = (int (*)(void *))record->start_routine;
	void *routine_argument = record->start_argument;
	begin_self(record);
	int result = routine(routine_argument);
	end_self();
	return result;
}

/* The id of the stack that makes a thread. */
static __attribute__((noinline)) uint32_t creation_stack(const struct unwind_registers *here)
{
	struct frames frames;
	unwind_self(here, true, &frames);
	uint64_t signals;
	sys_block_signals(&signals);
	uint32_t stack = stack_table_add(frames.at, frames.count);
	sys_restore_signals(&signals);
	return stack;
}

#define STATIC_TLS_MAX ((size_t)64 * 1024) /* thread-local storage of all libraries, which glibc does not tell */

/* How much stack a thread of these attributes is sure to have below its descriptor. */
static size_t stack_size(const pthread_attr_t *attributes)
{
	pthread_attr_t standard;
	size_t size = 0, guard = 0;
	if (!attributes) {
		if (pthread_attr_init(&standard))
			return 0;
		attributes = &standard;
	}
	if (pthread_attr_getstacksize(attributes, &size) || pthread_attr_getguardsize(attributes, &guard))
		size = 0;
	if (attributes == &standard)
		pthread_attr_destroy(&standard);
	/* The descriptor and the static thread-local storage lie in it too; two pages for what is rounded. */
	size_t above = 2 * guard + 8192 + STATIC_TLS_MAX;
	return size > above ? size - above : 0;
}

/* A record for the thread to be made, counted; NULL: it is to be made without us. */
static struct thread_record *prepare(const pthread_attr_t *attributes, uintptr_t routine, void *argument,
                                     const struct unwind_registers *here)
{
	struct thread_record *record = thread_record_new();
	if (!record)
		return NULL;
	int detached = PTHREAD_CREATE_JOINABLE;
	if (attributes)
		pthread_attr_getdetachstate(attributes, &detached);
	atomic_store(&record->detached, detached == PTHREAD_CREATE_DETACHED);
	struct thread_record *self = thread_self();
	record->creator_tid = self ? atomic_load(&self->tid) : 0;
	record->start_routine = routine;
	record->start_argument = argument;
	record->stack_size = stack_size(attributes);
	record->creation_stack = creation_stack(here);
	record->counted = true;
	threads_count_created(record->creation_stack);
	return record;
}

static void forget(struct thread_record *record)
{
	threads_count_failed(record->creation_stack);
	thread_record_free(record);
}

/* Guarded: whatever we do on the host's behalf is not the host's. Errno stays. */
static struct thread_record *prepare_guarded(const pthread_attr_t *attributes, uintptr_t routine, void *argument,
                                             const struct unwind_registers *here)
{
	int saved = errno;
	process_check();
	life_threads_begin();
	tls.guard++;
	struct thread_record *record = hooks_off ? NULL : prepare(attributes, routine, argument, here);
	tls.guard--;
	errno = saved;
	return record;
}

HOOK int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes, void *(*routine)(void *),
                        void *restrict argument)
{
	__typeof__(&pthread_create) real = REAL(pthread_create);
	if (tls.guard)
		return real(thread, attributes, routine, argument);
	struct unwind_registers here;
	UNWIND_HERE(&here);
	struct thread_record *record = prepare_guarded(attributes, (uintptr_t)routine, argument, &here);
	if (!record)
		return real(thread, attributes, routine, argument);
	int result = real(thread, attributes, begin_pthread, record);
	if (result)
		forget(record);
	return result;
}

HOOK int thrd_create(thrd_t *thread, thrd_start_t routine, void *argument)
{
	__typeof__(&thrd_create) real = REAL(thrd_create);
	if (tls.guard)
		return real(thread, routine, argument);
	struct unwind_registers here;
	UNWIND_HERE(&here);
	struct thread_record *record = prepare_guarded(NULL, (uintptr_t)routine, argument, &here);
	if (!record)
		return real(thread, routine, argument);
	int result = real(thread, begin_thrd, record);
	if (result != thrd_success)
		forget(record);
	return result;
}

/* After a join: the record goes if the thread was joined, or waits for the next attempt. */
static void after_join(pthread_t thread, struct thread_record *record, bool joined)
{
	if (!record) {
		if (!joined)
			atomic_store(&joining_of(thread)->claimed, 0);
		return;
	}
	if (joined && record->pthread == thread)
		thread_record_released(record);
}

HOOK int pthread_join(pthread_t thread, void **ret_result)
{
	if (hooks_off)
		return REAL(pthread_join)(thread, ret_result);
	struct thread_record *record = claim(thread);
	WAIT_ENTER(pthread_join, thread, -1);
	int result = REAL(pthread_join)(thread, ret_result);
	WAIT_LEAVE_UNLESS_SHORT();
	after_join(thread, record, result == 0);
	return result;
}

HOOK int pthread_timedjoin_np(pthread_t thread, void **ret_result, const struct timespec *until)
{
	if (hooks_off)
		return REAL(pthread_timedjoin_np)(thread, ret_result, until);
	struct thread_record *record = claim(thread);
	WAIT_ENTER(pthread_timedjoin_np, thread, -1);
	int result = REAL(pthread_timedjoin_np)(thread, ret_result, until);
	WAIT_LEAVE_UNLESS_SHORT();
	after_join(thread, record, result == 0);
	return result;
}

HOOK int pthread_clockjoin_np(pthread_t thread, void **ret_result, clockid_t clock, const struct timespec *until)
{
	if (hooks_off)
		return REAL(pthread_clockjoin_np)(thread, ret_result, clock, until);
	struct thread_record *record = claim(thread);
	WAIT_ENTER(pthread_clockjoin_np, thread, -1);
	int result = REAL(pthread_clockjoin_np)(thread, ret_result, clock, until);
	WAIT_LEAVE_UNLESS_SHORT();
	after_join(thread, record, result == 0);
	return result;
}

HOOK int pthread_tryjoin_np(pthread_t thread, void **ret_result)
{
	if (hooks_off)
		return REAL(pthread_tryjoin_np)(thread, ret_result);
	/* No wait; and a thread that can be joined at once has had its record. */
	struct thread_record *record = atomic_load(&joining_of(thread)->record);
	int result = REAL(pthread_tryjoin_np)(thread, ret_result);
	if (record)
		after_join(thread, record, result == 0);
	return result;
}

HOOK int thrd_join(thrd_t thread, int *ret_result)
{
	if (hooks_off)
		return REAL(thrd_join)(thread, ret_result);
	struct thread_record *record = claim(thread);
	WAIT_ENTER(thrd_join, thread, -1);
	int result = REAL(thrd_join)(thread, ret_result);
	WAIT_LEAVE_UNLESS_SHORT();
	after_join(thread, record, result == thrd_success);
	return result;
}

HOOK int pthread_detach(pthread_t thread)
{
	if (hooks_off)
		return REAL(pthread_detach)(thread);
	struct thread_record *record = claim(thread);
	/* Before the real call: after it the thread may be gone, and its record another's. */
	if (record)
		thread_record_released(record);
	return REAL(pthread_detach)(thread);
}

HOOK int thrd_detach(thrd_t thread)
{
	if (hooks_off)
		return REAL(thrd_detach)(thread);
	struct thread_record *record = claim(thread);
	if (record)
		thread_record_released(record);
	return REAL(thrd_detach)(thread);
}
