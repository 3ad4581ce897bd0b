/* delta.h - what was added since a profile was last asked for: delta_heap, delta_block, delta_mutex, as Grafana's godeltaprof serves
 * them. One memory for each name, shared by all who ask.
 *
 * Inside work_run, which lets one piece of work run at a time, except where noted.
 */
#ifndef CPPROF_RUNTIME_SERVE_DELTA_H
#define CPPROF_RUNTIME_SERVE_DELTA_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/collect/table.h"
#include "runtime/serve/route.h"

/* What the next answer will be compared with, until delta_keep(). In the region of the work in progress. */
struct delta {
	enum profile_kind kind;
	struct table whole;
	uint64_t taken_ns; /* CLOCK_MONOTONIC */
};

/* `table`: the cumulative profile, just collected. Takes away what the last answer for this kind had, all of it if there was none;
 * what is in use now (heap) stays as it is. Sets the duration. */
void delta_subtract(enum profile_kind kind, struct table *table, struct delta *ret_delta);
/* The answer has been made: it is the last one from now on. False: it is too large to be remembered, or there is no memory, and all is as
 * if it had not been asked for. */
bool delta_keep(const struct delta *delta);
/* In a fork child, before anything else: nothing was asked for. */
void deltas_forked(void);

#endif
