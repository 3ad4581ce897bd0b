/* delta.c - the last answers of delta.h, as snapshots. */
#include "runtime/serve/delta.h"

#include <stdatomic.h>
#include <string.h>

#include "runtime/serve/snapshot.h"
#include "runtime/shared/process.h"
#include "runtime/shared/region.h"
#include "runtime/shared/sys.h"

/* Of one name: some 50,000 stacks. */
#define REMEMBERED_MAX ((size_t)32 * 1024 * 1024)
/* Of heap's values the first two only grow: objects and bytes allocated. */
#define HEAP_CUMULATIVE 2

static struct {
	struct snapshot heap, block, mutex;
	_Atomic bool changing; /* one of them is half written: seen by a child that is forked right now */
} last;

static struct snapshot *last_of(enum profile_kind kind)
{
	return kind == PROFILE_HEAP ? &last.heap : kind == PROFILE_BLOCK ? &last.block : &last.mutex;
}

/* Of the rows, which subtraction and rendering put in another order. */
static void copy_rows(const struct table *table, bool heap, struct table *ret_copy)
{
	*ret_copy = *table;
	ret_copy->rows = work_alloc_array(table->row_count, sizeof(*table->rows));
	if (table->row_count)
		memcpy(ret_copy->rows, table->rows, table->row_count * sizeof(*table->rows));
	for (uint32_t i = 0; heap && i < table->row_count; i++)
		for (uint32_t value = HEAP_CUMULATIVE; value < TABLE_VALUES_MAX; value++)
			ret_copy->rows[i].values[value] = ret_copy->rows[i].raw[value] = 0;
}

void delta_subtract(enum profile_kind kind, struct table *table, struct delta *ret_delta)
{
	const struct snapshot *before = last_of(kind);
	ret_delta->kind = kind;
	ret_delta->taken_ns = monotonic_ns();
	snapshot_set_names_aside(table);
	copy_rows(table, kind == PROFILE_HEAP, &ret_delta->whole);
	if (before->words) {
		struct table earlier;
		snapshot_restore(before, &earlier);
		table_subtract(table, &earlier);
	}
	snapshot_put_names_back(table);
	table->duration_ns = (int64_t)(ret_delta->taken_ns - (before->words ? before->taken_ns : process.started_ns));
}

bool delta_keep(const struct delta *delta)
{
	struct snapshot *before = last_of(delta->kind), old = *before, taken;
	if (snapshot_size(&delta->whole) > REMEMBERED_MAX || !snapshot_take(&delta->whole, &taken))
		return false;
	taken.taken_ns = delta->taken_ns;
	atomic_store(&last.changing, true);
	*before = taken;
	atomic_store(&last.changing, false);
	snapshot_release(&old);
	return true;
}

void deltas_forked(void)
{
	struct snapshot *const all[] = { &last.heap, &last.block, &last.mutex };
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		if (!atomic_load(&last.changing))
			snapshot_release(all[i]);
		*all[i] = (struct snapshot){ 0 };
	}
	atomic_store(&last.changing, false);
}
