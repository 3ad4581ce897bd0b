/* collect.h - the collectors: from live counters to a struct table. Our own thread or the API, inside work_run.
 */
#ifndef CPPROF_RUNTIME_COLLECT_COLLECT_H
#define CPPROF_RUNTIME_COLLECT_COLLECT_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/collect/table.h"
#include "runtime/shared/contention.h"
#include "runtime/shared/threads.h"

/* heap and allocs are the same rows; `allocs` only names another default type. */
void collect_heap(bool allocs, struct table *ret_table);
uint32_t collect_heap_count(void);   /* of buckets, for the index */
uint64_t collect_heap_lock_ns(void); /* the longest that a collection has held what the hooks try to take */
/* NULL when heap profiling works; else why it does not: "off: CPPROF_DISABLE=heap", "off: the program has a malloc of its own". */
const char *heap_why_off(void);
/* The implementation that answers malloc, for the index: "glibc", "jemalloc", "the program's own". */
const char *heap_allocator(void);

/* block, mutex, wait: the sums of all waits so far (CONTENTION_*). */
void collect_contention(enum contention_kind kind, struct table *ret_table);
/* The waits in progress instead: a row for each stack, call and object, with the number of waiting threads and their time together; label
 * "age" (nanoseconds) of the longest. No mutex. */
void collect_waiting(enum contention_kind kind, struct table *ret_table);
uint32_t collect_contention_count(enum contention_kind kind); /* of rows, for the index */
/* NULL when it is on; else why not: "off: CPPROF_BLOCK_RATE=0". */
const char *contention_why_off(enum contention_kind kind);

/* One thread of the host, as a dump found it. */
struct thread_view {
	int tid;
	char name[16];
	char state;          /* of /proc: R S D T ... */
	enum wait_call call; /* WAIT_NONE: unknown or running */
	int syscall_number;  /* -1: running or unknown */
	uint64_t wait_object;
	int64_t waiting_ns; /* -1: unknown */
	uint32_t creation_stack;
	int creator_tid;
	uintptr_t start_routine;
	struct frames frames;
};

struct thread_dump {
	struct thread_view *threads; /* in order of creation: the main thread first */
	uint32_t count;
	int64_t time_ns; /* CLOCK_REALTIME */
};

/* Every thread's stack now, our own thread left out. */
void collect_threads(struct thread_dump *ret_dump);
/* The dump as the goroutine profile. */
void collect_goroutine(struct table *ret_table);
uint32_t collect_thread_count(void); /* /proc/self/task, without ours */
/* threadcreate: threads ever made, by creation stack; label "state" = live or ended. */
void collect_threadcreate(struct table *ret_table);
uint32_t collect_threadcreate_count(void);

#endif
