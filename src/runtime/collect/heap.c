/* heap.c - the heap profile: the buckets of the live table as rows. Weights are in the sums already: nothing is left to
 * scale. Inside work_run.
 */
#include <string.h>

#include "runtime/collect/collect.h"
#include "runtime/hooks/heap_math.h"
#include "runtime/hooks/live_table.h"
#include "runtime/hooks/malloc.h"
#include "runtime/hooks/malloc_real.h"
#include "runtime/shared/losses.h"
#include "runtime/shared/own_libc.h"
#include "runtime/shared/region.h"
#include "runtime/shared/settings.h"
#include "runtime/shared/stack_table.h"
#include "runtime/shared/sys.h"

static void comment(struct table *table, const char *text, uint64_t number)
{
	if (table->comment_count == sizeof(table->comments) / sizeof(table->comments[0]))
		return;
	size_t size = strlen(text) + 32;
	char *line = work_alloc(size);
	own_snprintf(line, size, "%s: %llu", text, (unsigned long long)number);
	table->comments[table->comment_count++] = line;
}

static void add_comments(struct table *table)
{
	static const enum loss heap_losses[] = { LOSS_HEAP_BUSY,   LOSS_HEAP_FULL, LOSS_FREE_BUSY,
		                                     LOSS_STACKS_FULL, LOSS_STACK_CUT, LOSS_UNWIND_FAILED };

	for (size_t i = 0; i < sizeof(heap_losses) / sizeof(heap_losses[0]); i++) {
		uint64_t lost = atomic_load_explicit(&losses[heap_losses[i]], memory_order_relaxed);
		if (lost)
			comment(table, loss_text(heap_losses[i]), lost);
	}
	const char *off = heap_why_off();
	if (off && table->comment_count < sizeof(table->comments) / sizeof(table->comments[0]))
		table->comments[table->comment_count++] = off;
}

static int64_t whole_objects(uint64_t parts)
{
	return (int64_t)((parts + HEAP_OBJECT / 2) / HEAP_OBJECT);
}

static void fill_row(struct table_row *row, uint32_t stack, const struct heap_bucket *bucket)
{
	row->stack = stack;
	row->frames = stack_table_get(stack, &row->frame_count);
	row->values[0] = whole_objects(bucket->alloc_objects);
	row->values[1] = (int64_t)bucket->alloc_bytes;
	row->values[2] = whole_objects(bucket->inuse_objects);
	row->values[3] = (int64_t)bucket->inuse_bytes;
	row->raw[0] = (int64_t)bucket->alloc_samples;
	row->raw[1] = (int64_t)bucket->alloc_sample_bytes;
	row->raw[2] = (int64_t)bucket->inuse_samples;
	row->raw[3] = (int64_t)bucket->inuse_sample_bytes;
}

static void add_rows(struct table *table)
{
	uint32_t stacks = stack_table_count();
	struct heap_bucket *buckets = work_alloc_array(LIVE_BUCKETS_AT_ONCE, sizeof(*buckets));
	table->rows = work_alloc_array(stacks, sizeof(*table->rows));
	for (uint32_t first = 0; first < stacks; first += LIVE_BUCKETS_AT_ONCE) {
		uint32_t left = stacks - first, count = left < LIVE_BUCKETS_AT_ONCE ? left : LIVE_BUCKETS_AT_ONCE;
		live_table_buckets(first, count, buckets);
		for (uint32_t i = 0; i < count; i++)
			if (buckets[i].alloc_samples)
				fill_row(&table->rows[table->row_count++], first + i, &buckets[i]);
	}
}

void collect_heap(bool allocs, struct table *ret_table)
{
	*ret_table = (struct table){
		.name = allocs ? "allocs" : "heap",
		.value_types = { "alloc_objects", "alloc_space", "inuse_objects", "inuse_space" },
		.value_units = { "count", "bytes", "count", "bytes" },
		.value_count = 4,
		.period_type = "space",
		.period_unit = "bytes",
		.period = (int64_t)settings.heap_rate,
		.default_type = allocs ? "alloc_space" : NULL,
		.time_ns = (int64_t)clock_ns(CLOCK_REALTIME),
	};
	add_rows(ret_table);
	add_comments(ret_table);
}

uint64_t collect_heap_lock_ns(void)
{
	return live_table_longest_hold_ns();
}

uint32_t collect_heap_count(void)
{
	return live_table_bucket_count();
}

const char *heap_why_off(void)
{
	switch (heap_state()) {
	case HEAP_ON:
		return NULL;
	case HEAP_OFF_SETTING:
		return settings.disabled         ? "off: CPPROF_DISABLE=all"
		       : settings.heap_rate == 0 ? "off: CPPROF_HEAP_RATE=0"
		                                 : "off: CPPROF_DISABLE=heap";
	case HEAP_OFF_OWN:
		return "off: the program has a malloc of its own";
	case HEAP_OFF_LATE:
		return "off: the library was loaded after malloc had been bound; link or preload it";
	case HEAP_OFF_FILTER:
		return "off: the program has installed a system call filter";
	case HEAP_UNDECIDED:
		break;
	}
	return "off: nothing has been allocated yet";
}

const char *heap_allocator(void)
{
	return real_allocator(heap_state() == HEAP_OFF_OWN);
}
