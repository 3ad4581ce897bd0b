/* cpu_tasks.h - the threads of the process, listed at each beat of the CPU sampler. Service thread only, outside work_run: a beat must not wait for
 * somebody else's work, so it does not share the memory and the descriptors of proc_task.h.
 */
#ifndef CPPROF_RUNTIME_COLLECT_CPU_TASKS_H
#define CPPROF_RUNTIME_COLLECT_CPU_TASKS_H

#include <stdbool.h>
#include <stdint.h>

struct cpu_tasks {
	const int *tids; /* valid until the next list */
	uint32_t count;
};

/* All threads but our own; where /proc refuses, those that the registry knows. One may be missed that ends, or whose neighbour ends, meanwhile. */
void cpu_tasks_list(struct cpu_tasks *ret_tasks);
/* True if thread `tid` blocks the signal now. */
bool cpu_task_blocks(int tid, int signal);
/* Its name; false: unknown, *ret_name is as it was. */
bool cpu_task_name(int tid, char *ret_name, uint32_t size);
/* Told of each live thread of which the registry knows where it began. */
void cpu_tasks_start_routines(void (*tell)(int tid, uintptr_t start_routine));

#endif
