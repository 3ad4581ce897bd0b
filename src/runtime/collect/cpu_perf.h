/* cpu_perf.h - perf_event's software clock as a source of CPU samples: one event for each thread, a signal for each period that ends in user mode,
 * no ring buffer.
 *
 * Service thread only: descriptors are of its table.
 */
#ifndef CPPROF_RUNTIME_COLLECT_CPU_PERF_H
#define CPPROF_RUNTIME_COLLECT_CPU_PERF_H

#include <stdbool.h>
#include <stdint.h>

enum cpu_perf_access {
	CPU_PERF_UNTRIED,
	CPU_PERF_REFUSED,
	CPU_PERF_GRANTED,
};

/* Found out by trying once. After our_signal_choose(). */
enum cpu_perf_access cpu_perf_access(void);
/* The process's rights may have changed, or the signal. */
void cpu_perf_try_again(void);
/* As found out so far. Any P thread. */
enum cpu_perf_access cpu_perf_known(void);
/* Why CPU_PERF_REFUSED. */
const char *cpu_perf_why_not(void);

/* An event on the thread whose signals are for `slot`; off until cpu_perf_start. The descriptor, or -1: the thread is gone, or no descriptor can be
 * had. */
int cpu_perf_open(int tid, uint32_t slot, uint64_t period_ns);
void cpu_perf_start(int fd);
void cpu_perf_set_period(int fd, uint64_t period_ns);
void cpu_perf_close(int fd);

#endif
