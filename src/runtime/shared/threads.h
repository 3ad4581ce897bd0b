/* threads.h - the registry: one record for each thread of the host that we have met.
 *
 * Records live in our own pages, are recycled but never unmapped, so any thread may look at any record at any time.
 * What a blocked thread publishes about its wait is guarded by a sequence count.
 */
#ifndef CPPROF_RUNTIME_SHARED_THREADS_H
#define CPPROF_RUNTIME_SHARED_THREADS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/signal/unwind.h"

/* The calls that can wait, by the name their wrapper has. */
/* clang-format off */
#define WAIT_CALLS(X) \
	X(pthread_mutex_lock) X(pthread_mutex_timedlock) X(pthread_mutex_clocklock) \
	X(pthread_rwlock_rdlock) X(pthread_rwlock_wrlock) X(pthread_rwlock_timedrdlock) X(pthread_rwlock_timedwrlock) \
	X(pthread_rwlock_clockrdlock) X(pthread_rwlock_clockwrlock) \
	X(pthread_cond_wait) X(pthread_cond_timedwait) X(pthread_cond_clockwait) X(pthread_barrier_wait) \
	X(pthread_join) X(pthread_timedjoin_np) X(pthread_clockjoin_np) \
	X(sem_wait) X(sem_timedwait) X(sem_clockwait) \
	X(mtx_lock) X(mtx_timedlock) X(cnd_wait) X(cnd_timedwait) X(thrd_join) X(thrd_sleep) \
	X(poll) X(ppoll) X(select) X(pselect) X(epoll_wait) X(epoll_pwait) X(epoll_pwait2) \
	X(accept) X(accept4) X(connect) X(read) X(readv) X(recv) X(recvfrom) X(recvmsg) X(recvmmsg) X(write) X(writev) X(send) X(sendto) X(sendmsg) X(sendmmsg) \
	X(nanosleep) X(clock_nanosleep) X(usleep) X(sleep) X(pause) X(sigwait) X(sigwaitinfo) X(sigtimedwait) X(sigsuspend) \
	X(wait) X(waitpid) X(wait3) X(wait4) X(waitid) X(flock) X(fsync) X(fdatasync) X(msgrcv) X(msgsnd) X(semop) X(semtimedop) X(syscall)
/* clang-format on */

enum wait_call {
	WAIT_NONE,
#define WAIT_ENUM(name) WAIT_##name,
	WAIT_CALLS(WAIT_ENUM)
#undef WAIT_ENUM
			WAIT_CALL_COUNT
};

const char *wait_call_name(enum wait_call call);

enum thread_state {
	THREAD_FREE, /* the record is not in use */
	THREAD_LIVE,
	THREAD_EXITED, /* ended, joinable, not joined yet */
};

#define THREAD_LOCK_WAITS 4u

struct thread_record {
	/* Odd while the thread waits in a wrapper; what is below is then valid, and so is its stack from regs.sp upwards. */
	_Atomic uint32_t wait_sequence;
	_Atomic uint32_t wait_call;        /* enum wait_call */
	_Atomic uint64_t wait_object;      /* address of the lock, descriptor, thread… */
	_Atomic uint64_t wait_since_ticks; /* ticks.h; 0 = not taken */
	struct unwind_registers wait_registers;

	_Atomic int tid;           /* 0 = none, or not begun yet */
	_Atomic int state;         /* enum thread_state */
	_Atomic uint32_t detached; /* nobody will join it: the record goes when the thread ends */
	uint32_t generation;       /* grows each time the record is reused */
	uint32_t creation_stack;   /* stack_table id; STACK_OVERFLOW = unknown */
	int creator_tid;           /* 0 = unknown (the main thread, threads made before us or without pthread_create) */
	uint64_t started_ns;       /* CLOCK_MONOTONIC */
	pthread_t pthread;
	uintptr_t start_routine;
	uintptr_t stack_low, stack_high; /* 0 = unknown */
	struct thread_record *next;      /* of the registry's list */

	void *start_argument;       /* of start_routine, until it is called */
	size_t stack_size;          /* at least so much lies below the thread's descriptor; 0 = unknown */
	uint32_t index;             /* of the record, for the list of free ones */
	_Atomic uint32_t next_free; /* index + 1 of the next free record */
	/* What waiters_enter returned for each lock it waits for: more than one when a handler waits, too. 0 = free. Its own thread's. */
	_Atomic uint64_t waits_for[THREAD_LOCK_WAITS];
	/* The dumps' own: the wait that one has seen first, if its beginning was not noted, and when. */
	uint32_t seen_sequence;
	uint64_t seen_ns;
	bool counted; /* among the threads started: made by pthread_create or thrd_create */
} __attribute__((aligned(64)));

/* What tls.thread is for a thread that has no record any more, or will never have one: it ended, or the table is full. Empty
 * and never written to, so whoever looks at tls.thread needs no test. */
extern struct thread_record thread_nobody __attribute__((visibility("hidden")));

/* The calling thread's record, made at the first call; NULL when the table is full or the thread is ending. Any hook. */
struct thread_record *thread_self(void);
/* All records ever made, in use or not: walk by ->next, newest first. */
struct thread_record *threads_first(void);
/* Threads ever started through pthread_create, thrd_create, and those that are live now. */
uint64_t threads_created(void);
uint64_t threads_live(void);
/* In a fork child, before anything else: only the calling thread is left. */
void threads_forked(void);

/* A record for a thread about to be made, THREAD_LIVE, tid 0; NULL (counted) when the table is full. Lock-free, any hook. */
struct thread_record *thread_record_new(void);
/* For ever out of use: its thread ended and nobody will join it. */
void thread_record_free(struct thread_record *record);
/* The thread of this record has ended: it counts as live no more, and the record is freed unless somebody may still join
 * it. Called once by whoever comes first, the thread itself or a dump that misses it; later calls do nothing. */
void thread_record_ended(struct thread_record *record);
/* It has been joined, or detached: the record is freed now if the thread has ended. */
void thread_record_released(struct thread_record *record);

/* Counts one more thread with this creation stack, live; the other takes it back when it could not be made. */
void threads_count_created(uint32_t stack);
void threads_count_failed(uint32_t stack);
/* How many threads each creation stack has made: slots 0 to THREADS_CREATIONS - 1, false = empty slot. */
#define THREADS_CREATIONS 4096u
struct thread_creation {
	uint32_t stack; /* stack_table id */
	uint64_t created, live;
};
bool threads_creation(uint32_t slot, struct thread_creation *ret_creation);

#endif
