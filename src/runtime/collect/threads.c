/* threads.c - the collectors of threads: the dump of all, goroutine, threadcreate. How a thread's stack is read is
 * thread_read.c's.
 */
#include <string.h>

#include "runtime/collect/collect.h"
#include "runtime/collect/proc_task.h"
#include "runtime/collect/thread_read.h"
#include "runtime/life.h"
#include "runtime/shared/region.h"
#include "runtime/shared/stack_table.h"
#include "runtime/shared/sys.h"
#include "runtime/shared/threads.h"

/* ---- the dump ---- */

static void make_room(void *arg, uint32_t count)
{
	struct thread_dump *dump = arg;
	dump->threads = work_alloc_array(count + 1, sizeof(*dump->threads));
	dump->count = count;
}

/* Without the unused part of the frames: those are pages that nobody need touch. */
static void copy_view(struct thread_view *to, const struct thread_view *from)
{
	size_t used = offsetof(struct thread_view, frames.at) + from->frames.count * sizeof(from->frames.at[0]);
	memmove(to, from, used);
}

static void keep_view(void *arg, uint32_t index, const struct thread_view *view)
{
	struct thread_dump *dump = arg;
	copy_view(&dump->threads[index], view);
}

void collect_threads(struct thread_dump *ret_dump)
{
	ret_dump->time_ns = (int64_t)clock_ns(CLOCK_REALTIME);
	threads_read(true, make_room, keep_view, ret_dump);
	/* Threads that ended in the middle of it, and our own, have left holes. */
	uint32_t kept = 0;
	for (uint32_t i = 0; i < ret_dump->count; i++) {
		if (ret_dump->threads[i].tid == 0)
			continue;
		if (kept != i)
			copy_view(&ret_dump->threads[kept], &ret_dump->threads[i]);
		kept++;
	}
	ret_dump->count = kept;
}

uint32_t collect_thread_count(void)
{
	uint32_t listed = proc_tasks_count();
	uint32_t ours = life_service_tid() != 0;
	return listed > ours ? listed - ours : (uint32_t)threads_live() + 1;
}

/* ---- goroutine ---- */

/* The rows so far, and which of them has which stack. */
struct merge {
	struct table *table;
	uint32_t room;
	uint32_t *slots; /* row + 1, 0 = empty */
	uint64_t *hashes;
	uint32_t slot_mask;
};

static uint64_t hash_frames(const struct frames *frames)
{
	uint64_t hash = frames->count;
	for (uint32_t i = 0; i < frames->count; i++)
		hash = (hash ^ frames->at[i]) * 0x9E3779B97F4A7C15u, hash ^= hash >> 29;
	return hash;
}

static void merge_prepare(void *arg, uint32_t count)
{
	struct merge *merge = arg;
	uint32_t size = 64;
	while (size < count * 2)
		size *= 2;
	merge->slots = work_alloc_array(size, sizeof(*merge->slots));
	merge->hashes = work_alloc_array(size, sizeof(*merge->hashes));
	merge->slot_mask = size - 1;
}

static struct table_row *append_row(struct table *table, uint32_t *room)
{
	if (table->row_count == *room) {
		uint32_t larger = *room ? *room * 2 : 64;
		struct table_row *rows = work_alloc_array(larger, sizeof(*rows));
		if (table->row_count)
			memcpy(rows, table->rows, table->row_count * sizeof(*rows));
		table->rows = rows;
		*room = larger;
	}
	return &table->rows[table->row_count++];
}

static void merge_view(void *arg, uint32_t index, const struct thread_view *view)
{
	struct merge *merge = arg;
	const struct frames *frames = &view->frames;
	uint64_t hash = hash_frames(frames);
	uint32_t at = (uint32_t)hash & merge->slot_mask;
	(void)index;
	for (; merge->slots[at]; at = (at + 1) & merge->slot_mask) {
		struct table_row *row = &merge->table->rows[merge->slots[at] - 1];
		if (merge->hashes[at] == hash && row->frame_count == frames->count &&
		    memcmp(row->frames, frames->at, frames->count * sizeof(frames->at[0])) == 0) {
			row->values[0]++;
			return;
		}
	}
	uintptr_t *kept = work_alloc_array(frames->count + 1, sizeof(*kept));
	memcpy(kept, frames->at, frames->count * sizeof(*kept));
	struct table_row *row = append_row(merge->table, &merge->room);
	row->frames = kept;
	row->frame_count = frames->count;
	row->values[0] = 1;
	merge->slots[at] = merge->table->row_count;
	merge->hashes[at] = hash;
}

static void describe(struct table *table, const char *name)
{
	memset(table, 0, sizeof(*table));
	table->name = name;
	table->value_types[0] = table->period_type = name;
	table->value_units[0] = table->period_unit = "count";
	table->value_count = 1;
	table->period = 1;
	table->time_ns = (int64_t)clock_ns(CLOCK_REALTIME);
}

void collect_goroutine(struct table *ret_table)
{
	struct merge merge = { .table = ret_table };
	describe(ret_table, "goroutine");
	threads_read(false, merge_prepare, merge_view, &merge);
	table_merge_rows(ret_table);
}

/* ---- threadcreate ---- */

static void add_creation(struct table *table, uint32_t *room, uint32_t stack, uint64_t count, const char *state)
{
	if (!count)
		return;
	struct table_row *row = append_row(table, room);
	row->stack = stack;
	row->frames = stack_table_get(stack, &row->frame_count);
	row->values[0] = (int64_t)count;
	row->labels[0] = (struct table_label){ .key = "state", .text = state };
	row->label_count = 1;
}

void collect_threadcreate(struct table *ret_table)
{
	uint32_t room = 0;
	describe(ret_table, "threadcreate");
	for (uint32_t slot = 0; slot < THREADS_CREATIONS; slot++) {
		struct thread_creation creation;
		if (!threads_creation(slot, &creation))
			continue;
		uint64_t live = creation.live < creation.created ? creation.live : creation.created;
		add_creation(ret_table, &room, creation.stack, live, "live");
		add_creation(ret_table, &room, creation.stack, creation.created - live, "ended");
	}
	table_merge_rows(ret_table);
}

uint32_t collect_threadcreate_count(void)
{
	return (uint32_t)threads_created();
}
