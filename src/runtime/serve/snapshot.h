/* snapshot.h - a table that outlives the work it was made in: the earlier half of a difference (?seconds=N, delta.h).
 *
 * Packed into one block of our own pages; only what a subtraction needs: frames, labels, values.
 */
#ifndef CPPROF_RUNTIME_SERVE_SNAPSHOT_H
#define CPPROF_RUNTIME_SERVE_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/collect/table.h"

/* All zero: none. */
struct snapshot {
	uint64_t *words;
	size_t size; /* bytes */
	uint32_t row_count, value_count;
	uint64_t taken_ns; /* CLOCK_MONOTONIC */
};

/* Bytes that a snapshot of the table takes. */
size_t snapshot_size(const struct table *table);
/* Inside work_run, as its last step: the block is the caller's. False: no memory. */
bool snapshot_take(const struct table *table, struct snapshot *ret_snapshot);
/* Before a table is compared with another, or becomes a snapshot: the names of locks, which may have been given in between, are set aside; the
 * addresses stay. They are each row's last label. Afterwards they are put back. */
void snapshot_set_names_aside(struct table *table);
void snapshot_put_names_back(struct table *table);
/* Inside work_run. The table points into the snapshot. */
void snapshot_restore(const struct snapshot *snapshot, struct table *ret_table);
void snapshot_release(struct snapshot *snapshot);

#endif
