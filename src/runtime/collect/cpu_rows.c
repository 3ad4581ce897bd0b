/* cpu_rows.c - the table of stacks of one CPU session. Rows never move: they are cut from blocks, each twice the size of the one before.
 */
#include "runtime/collect/cpu_rows.h"

#include <stdatomic.h>
#include <string.h>

#include "runtime/collect/frame_set.h"
#include "runtime/shared/frames.h"
#include "runtime/shared/losses.h"
#include "runtime/shared/pages.h"
#include "runtime/shared/unloaded.h"

#define FIRST_BLOCK ((uint64_t)64 << 10)
#define LARGEST_BLOCK ((uint64_t)4 << 20)
#define FIRST_INDEX 1024u
#define NAMES_MAX 16384u /* a power of two; three quarters of it are used */

struct cpu_block {
	struct cpu_block *older;
	uint64_t size, used; /* bytes, this header included */
};

struct cpu_row_index {
	uint64_t size; /* bytes, this header included */
	uint32_t mask;
	struct cpu_row *slots[];
};

struct cpu_names {
	uint64_t size;
	uint32_t count;
	struct {
		int tid; /* 0 = free */
		char name[CPU_NAME_SIZE];
	} slots[NAMES_MAX];
};

/* Pages within the ceiling; NULL: no room. */
static void *map_within(struct cpu_rows *rows, uint64_t size)
{
	void *pages = rows->bytes + size <= CPU_ROWS_BYTES_MAX ? pages_map(size) : NULL;
	if (pages)
		rows->bytes += size;
	return pages;
}

static void *cut(struct cpu_rows *rows, uint64_t size)
{
	struct cpu_block *block = rows->blocks;
	if (!block || block->used + size > block->size) {
		uint64_t wanted = block ? block->size * 2 : FIRST_BLOCK;
		if (wanted > LARGEST_BLOCK)
			wanted = LARGEST_BLOCK;
		struct cpu_block *more = map_within(rows, wanted);
		if (!more)
			return NULL;
		*more = (struct cpu_block){ block, wanted, sizeof(*more) };
		atomic_signal_fence(memory_order_seq_cst);
		rows->blocks = block = more;
	}
	char *at = (char *)block + block->used;
	block->used += size;
	return __builtin_assume_aligned(at, 8);
}

static void fill_index(const struct cpu_rows *rows, struct cpu_row_index *index)
{
	for (struct cpu_row *row = rows->newest; row; row = row->older) {
		uint32_t at = (uint32_t)row->hash & index->mask;
		while (index->slots[at])
			at = (at + 1) & index->mask;
		index->slots[at] = row;
	}
}

static bool grow_index(struct cpu_rows *rows)
{
	struct cpu_row_index *old = rows->index;
	uint64_t slots = old ? 2 * ((uint64_t)old->mask + 1) : FIRST_INDEX;
	uint64_t size = sizeof(*old) + slots * sizeof(old->slots[0]);
	struct cpu_row_index *index = map_within(rows, size);
	if (!index)
		return false;
	index->size = size;
	index->mask = (uint32_t)slots - 1;
	fill_index(rows, index);
	rows->index = index;
	atomic_signal_fence(memory_order_seq_cst);
	if (old) {
		rows->bytes -= old->size;
		pages_unmap(old, old->size);
	}
	return true;
}

static uint64_t hash_of(const uintptr_t *frames, uint32_t count, int tid)
{
	uint64_t hash = ((uint64_t)(uint32_t)tid << 32 | count) * 0x9E3779B97F4A7C15u;
	for (uint32_t i = 0; i < count; i++) {
		hash = (hash ^ frames[i]) * 0x9E3779B97F4A7C15u;
		hash ^= hash >> 29;
	}
	return hash;
}

/* The row of this key, made if need be; NULL: no room. */
static struct cpu_row *find(struct cpu_rows *rows, const uintptr_t *frames, uint32_t count, int tid)
{
	/* Three quarters full at the most; where it cannot grow it may fill up to the last slot but one. */
	if ((!rows->index || rows->count > rows->index->mask / 4 * 3) && !grow_index(rows) &&
	    (!rows->index || rows->count >= rows->index->mask))
		return NULL;
	uint64_t hash = hash_of(frames, count, tid);
	uint32_t at = (uint32_t)hash & rows->index->mask;
	for (struct cpu_row *row; (row = rows->index->slots[at]); at = (at + 1) & rows->index->mask) {
		if (row->hash == hash && row->tid == tid && row->frame_count == count &&
		    memcmp(row->frames, frames, count * sizeof(*frames)) == 0)
			return row;
	}
	struct cpu_row *row = cut(rows, sizeof(*row) + count * sizeof(*frames));
	if (!row)
		return NULL;
	*row = (struct cpu_row){ .older = rows->newest, .hash = hash, .tid = tid, .frame_count = count };
	memcpy(row->frames, frames, count * sizeof(*frames));
	rows->newest = row;
	rows->index->slots[at] = row;
	rows->count++;
	return row;
}

void cpu_rows_add(struct cpu_rows *rows, const uintptr_t *frames, uint32_t count, int tid, uint64_t periods,
                  uint64_t ns)
{
	uintptr_t visible[FRAMES_MAX];
	count = frames_visible(frames, count < FRAMES_MAX ? count : FRAMES_MAX, visible);
	struct cpu_row *row = find(rows, visible, count, tid);
	if (!row) {
		rows->overflow_periods += periods;
		rows->overflow_ns += ns;
		loss_count(LOSS_STACKS_FULL);
		return;
	}
	row->periods += periods;
	row->ns += ns;
}

/* Rows that become equal stay apart: of them the index finds one. */
void cpu_rows_unload(struct cpu_rows *rows, uint32_t sequence)
{
	bool changed = false;
	for (struct cpu_row *row = rows->newest; row; row = row->older) {
		bool row_changed = false;
		for (uint32_t i = 0; i < row->frame_count; i++) {
			if (row->frames[i] >= PSEUDO_LIMIT && unloaded_since(row->frames[i], sequence)) {
				row->frames[i] = PSEUDO_UNLOADED;
				row_changed = true;
			}
		}
		if (row_changed)
			row->hash = hash_of(row->frames, row->frame_count, row->tid);
		changed |= row_changed;
	}
	if (changed) {
		memset(rows->index->slots, 0, ((size_t)rows->index->mask + 1) * sizeof(rows->index->slots[0]));
		fill_index(rows, rows->index);
	}
}

/* --- names ---------------------------------------------------------------------------------------------------------- */

static uint32_t name_place(const struct cpu_names *names, int tid)
{
	uint32_t at = (uint32_t)tid * 2654435761u & (NAMES_MAX - 1);
	while (names->slots[at].tid && names->slots[at].tid != tid)
		at = (at + 1) & (NAMES_MAX - 1);
	return at;
}

char *cpu_rows_name_slot(struct cpu_rows *rows, int tid, bool *ret_new)
{
	*ret_new = false;
	if (!rows->names) {
		struct cpu_names *names = map_within(rows, sizeof(*names));
		if (!names)
			return NULL;
		names->size = sizeof(*names);
		rows->names = names;
	}
	struct cpu_names *names = rows->names;
	uint32_t at = name_place(names, tid);
	if (!names->slots[at].tid) {
		if (names->count >= NAMES_MAX / 4 * 3)
			return NULL;
		names->count++;
		names->slots[at].tid = tid;
		*ret_new = true;
	}
	return names->slots[at].name;
}

const char *cpu_rows_name(const struct cpu_rows *rows, int tid)
{
	return rows->names ? rows->names->slots[name_place(rows->names, tid)].name : "";
}

bool cpu_rows_names_next(const struct cpu_rows *rows, uint32_t *at, int *ret_tid, char **ret_name)
{
	for (; rows->names && *at < NAMES_MAX; ++*at) {
		if (!rows->names->slots[*at].tid)
			continue;
		*ret_tid = rows->names->slots[*at].tid;
		*ret_name = rows->names->slots[(*at)++].name;
		return true;
	}
	return false;
}

void cpu_rows_release(struct cpu_rows *rows)
{
	struct cpu_rows old = *rows;
	memset(rows, 0, sizeof(*rows));
	atomic_signal_fence(memory_order_seq_cst);
	if (old.index)
		pages_unmap(old.index, old.index->size);
	if (old.names)
		pages_unmap(old.names, old.names->size);
	for (struct cpu_block *block = old.blocks; block;) {
		struct cpu_block *older = block->older;
		pages_unmap(block, block->size);
		block = older;
	}
}
