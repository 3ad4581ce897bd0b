/* cpu_session.h - what one session of the CPU profile has collected. Written on the service thread; read by collect_cpu when it has ended.
 */
#ifndef CPPROF_RUNTIME_COLLECT_CPU_SESSION_H
#define CPPROF_RUNTIME_COLLECT_CPU_SESSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/collect/cpu.h"
#include "runtime/collect/cpu_arm.h"
#include "runtime/collect/cpu_rows.h"

enum cpu_session_state {
	CPU_SESSION_NEW,
	CPU_SESSION_RUNNING,
	CPU_SESSION_ENDED,
	CPU_SESSION_LEFT, /* released, but the service thread did not come to ending it: it does so at the next beat */
};

/* A slot's account when the session began. */
struct cpu_base {
	uint32_t generation; /* 0 = none */
	uint64_t clock_ns, sampled_ns, lost_ns, blocked_ns, unanswered_ns, kernel_ns;
};

/* What samples leave open of the threads with one start routine. */
#define CPU_RESTS 64u
struct cpu_rest {
	uintptr_t start_routine;
	uint64_t threads; /* 0 = free */
	int64_t ns;
	uint64_t kernel_ns; /* so much of it, at the most, in the kernel */
};

struct cpu_session {
	_Atomic int state;
	struct cpu_wish wish;
	uint64_t period_ns;
	struct cpu_rows rows;
	struct cpu_base *bases; /* CPU_SLOTS_MAX, own pages, while it runs */
	struct cpu_rest rests[CPU_RESTS];

	/* Begin and, once it has ended, what has gone since. */
	int64_t time_ns;      /* CLOCK_REALTIME */
	uint64_t duration_ns; /* CLOCK_MONOTONIC */
	uint64_t process_ns;  /* processor time of the process, ours not counted */

	uint64_t sampled_ns, lost_ns, blocked_ns, kernel_ns, unknown_ns;
	uint64_t cut, failed;
	int fastest_hz;      /* at which the threads have been sampled */
	const char *no_perf; /* why not, static text; NULL = perf_event */
	uint32_t unarmed, without_perf, in_kernel;
	const char *ended_why; /* static text; NULL = as it was asked to */
};

#endif
