/* proc_task.h - what /proc/self/task says about the threads of this process. Our own thread or the API, inside work_run.
 *
 * Descriptors are open between proc_tasks_list() and proc_tasks_close(). When the work is given up in between
 * (work_out_of_memory), whoever called work_run() calls proc_tasks_close() on the same thread, at once: later, or in another
 * table of descriptors, the same numbers may be somebody else's.
 */
#ifndef CPPROF_RUNTIME_COLLECT_PROC_TASK_H
#define CPPROF_RUNTIME_COLLECT_PROC_TASK_H

#include <stdbool.h>
#include <stdint.h>

#define PROC_STOPS_MAX 32u /* descriptors open at the same time, besides that of the directory */

struct task_list {
	int *tids; /* in order of creation, region memory */
	uint32_t count;
};

/* All threads. False: there is no /proc. */
bool proc_tasks_list(struct task_list *ret_list);
/* The end of the work: no descriptor stays open. */
void proc_tasks_close(void);
/* How many threads there are, without a list of them; 0: there is no /proc. */
uint32_t proc_tasks_count(void);

enum task_state {
	TASK_GONE,
	TASK_REFUSED, /* not ours to read: after a drop of privileges */
	TASK_RUNNING, /* or waiting for a processor */
	TASK_BLOCKED,
};

/* Where a blocked thread stands. */
struct task_stop {
	long number; /* of the system call; -1: none (a page fault) */
	uint64_t argument;
	uintptr_t sp, pc;
	int fd; /* kept open to look again; -1 = none */
};

/* Looks at thread `tid`; TASK_BLOCKED fills *ret_stop and keeps a descriptor for task_stop_again(). */
enum task_state task_stop_read(int tid, struct task_stop *ret_stop);
/* True if it is still where it was. */
bool task_stop_again(const struct task_stop *stop);
void task_stop_close(struct task_stop *stop);

/* The thread's name, "" = unknown. */
void task_name(int tid, char *ret_name, uint32_t size);
/* R, S, D, T ...; '?' = unknown. */
char task_state_letter(int tid);
/* True if the thread has this signal blocked. */
bool task_blocks(int tid, int number);
/* Nanoseconds of processor time that the thread has used; 0 = it is gone. Works without /proc. */
uint64_t task_cpu_ns(int tid);

#endif
