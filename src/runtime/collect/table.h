/* table.h - what a collector hands over: rows of stack → values, before names and bytes.
 *
 * All of it lives in the region of the work in progress (shared/region.h).
 */
#ifndef CPPROF_RUNTIME_COLLECT_TABLE_H
#define CPPROF_RUNTIME_COLLECT_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/shared/frames.h"

#define TABLE_VALUES_MAX 4
#define TABLE_LABELS_MAX 4

struct table_label {
	const char *key;  /* static text */
	const char *text; /* NULL: a number label */
	int64_t number;
	const char *unit; /* of a number label, static text */
};

struct table_row {
	const uintptr_t *frames; /* leaf first, frames.h */
	uint32_t frame_count;
	uint32_t label_count;
	uint32_t stack; /* id in the table of stacks, part of what tells rows apart; 0 = the frames are of today */
	int64_t values[TABLE_VALUES_MAX];
	/* heap: counts as sampled, without weights, for the text form: alloc objects, alloc bytes, in-use objects, in-use bytes. */
	int64_t raw[TABLE_VALUES_MAX];
	struct table_label labels[TABLE_LABELS_MAX];
};

struct table {
	const char *name; /* of the profile: "heap" */
	const char *value_types[TABLE_VALUES_MAX], *value_units[TABLE_VALUES_MAX];
	uint32_t value_count;
	const char *period_type, *period_unit;
	int64_t period;
	const char *default_type; /* or NULL */
	const char *drop_frames;  /* regular expression, or NULL */
	int64_t time_ns;          /* CLOCK_REALTIME when collection began */
	int64_t duration_ns;      /* of a delta; else 0 */
	struct table_row *rows;
	uint32_t row_count;
	const char *comments[16]; /* "" never; what was lost, rates, errors */
	uint32_t comment_count;
};

/* Rows of equal frames and labels become one; rows that are all zero go. Orders by the last value, falling, then by frames. */
void table_merge_rows(struct table *table);
/* Frames of files that have been unloaded since become [unloaded code]; afterwards no row has a stack's id. Before rows are shown. */
void table_settle_unloaded(struct table *table);
/* later - earlier, row by row (equal frames and labels), for ?seconds=N; into *later. */
void table_subtract(struct table *later, const struct table *earlier);

#endif
