/* table.c - rows of equal stacks made one, and the difference of two tables. Knows no names and no format. */
#include "runtime/collect/table.h"

#include <string.h>

#include "runtime/shared/own_libc.h"
#include "runtime/shared/region.h"
#include "runtime/shared/unloaded.h"

/* Rows by their frames and labels: open addressing over indices + 1. */
struct row_index {
	uint32_t *slots;
	uint32_t mask;
};

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
	return hash ^ hash >> 29;
}

static uint64_t mix_text(uint64_t hash, const char *text)
{
	for (; text && *text; text++)
		hash = mix(hash, (unsigned char)*text);
	return mix(hash, text != NULL);
}

static uint64_t row_hash(const struct table_row *row)
{
	uint64_t hash = mix(row->frame_count, row->stack);
	for (uint32_t i = 0; i < row->frame_count; i++)
		hash = mix(hash, row->frames[i]);
	for (uint32_t i = 0; i < row->label_count; i++) {
		hash = mix_text(hash, row->labels[i].key);
		hash = mix_text(hash, row->labels[i].text);
		hash = mix(hash, (uint64_t)row->labels[i].number);
	}
	return hash;
}

static int compare_texts(const char *a, const char *b)
{
	if (!a || !b)
		return (a != NULL) - (b != NULL);
	return strcmp(a, b);
}

static int compare_labels(const struct table_label *a, const struct table_label *b)
{
	int order = compare_texts(a->key, b->key);
	if (!order)
		order = compare_texts(a->text, b->text);
	if (!order)
		order = compare_texts(a->unit, b->unit);
	return order ? order : (a->number > b->number) - (a->number < b->number);
}

/* By frames from the leaf, then by labels and the stack's id; 0 = the same row. */
static int compare_keys(const struct table_row *a, const struct table_row *b)
{
	uint32_t shorter = a->frame_count < b->frame_count ? a->frame_count : b->frame_count;
	for (uint32_t i = 0; i < shorter; i++) {
		if (a->frames[i] != b->frames[i])
			return a->frames[i] < b->frames[i] ? -1 : 1;
	}
	if (a->frame_count != b->frame_count)
		return a->frame_count < b->frame_count ? -1 : 1;
	if (a->label_count != b->label_count)
		return a->label_count < b->label_count ? -1 : 1;
	for (uint32_t i = 0; i < a->label_count; i++) {
		int order = compare_labels(&a->labels[i], &b->labels[i]);
		if (order)
			return order;
	}
	return (a->stack > b->stack) - (a->stack < b->stack);
}

static void index_init(struct row_index *index, uint64_t rows)
{
	uint32_t size = 16;
	while (size < rows + rows / 2 && size < (uint32_t)1 << 31)
		size *= 2;
	index->slots = work_alloc_array(size, sizeof(*index->slots));
	index->mask = size - 1;
}

/* The slot of the row's equal in `rows`, or the empty one where it belongs. */
static uint32_t *index_slot(const struct row_index *index, const struct table_row *rows, const struct table_row *row)
{
	uint32_t at = (uint32_t)row_hash(row) & index->mask;
	while (index->slots[at] && compare_keys(&rows[index->slots[at] - 1], row) != 0)
		at = (at + 1) & index->mask;
	return &index->slots[at];
}

static void add_values(struct table_row *to, const struct table_row *from)
{
	for (uint32_t i = 0; i < TABLE_VALUES_MAX; i++) {
		to->values[i] = (int64_t)((uint64_t)to->values[i] + (uint64_t)from->values[i]);
		to->raw[i] = (int64_t)((uint64_t)to->raw[i] + (uint64_t)from->raw[i]);
	}
}

static bool is_zero(const struct table_row *row)
{
	int64_t any = 0;
	for (uint32_t i = 0; i < TABLE_VALUES_MAX; i++)
		any |= row->values[i] | row->raw[i];
	return any == 0;
}

static int compare_rows(const void *one, const void *two, void *arg)
{
	const struct table_row *a = one, *b = two;
	uint32_t last = *(const uint32_t *)arg;
	if (a->values[last] != b->values[last])
		return a->values[last] > b->values[last] ? -1 : 1;
	return compare_keys(a, b);
}

/* Makes the rows of `more` part of table->rows, which has room for them. */
static void merge_into(struct table *table, const struct row_index *index, const struct table_row *more, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t *slot = index_slot(index, table->rows, &more[i]);
		if (*slot) {
			add_values(&table->rows[*slot - 1], &more[i]);
		} else {
			table->rows[table->row_count++] = more[i];
			*slot = table->row_count;
		}
	}
}

static void finish(struct table *table)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < table->row_count; i++) {
		if (!is_zero(&table->rows[i]))
			table->rows[kept++] = table->rows[i];
	}
	table->row_count = kept;
	uint32_t last = table->value_count ? table->value_count - 1 : 0;
	own_sort(table->rows, table->row_count, sizeof(*table->rows), compare_rows, &last);
}

void table_settle_unloaded(struct table *table)
{
	struct table_row *rows = work_alloc_array(table->row_count, sizeof(*rows));
	for (uint32_t i = 0; i < table->row_count; i++) {
		rows[i] = table->rows[i];
		if (rows[i].stack && unloaded_stack(rows[i].frames, rows[i].frame_count, rows[i].stack)) {
			uintptr_t *frames = work_alloc_array(rows[i].frame_count, sizeof(*frames));
			unloaded_replace(rows[i].frames, rows[i].frame_count, rows[i].stack, frames);
			rows[i].frames = frames;
		}
		rows[i].stack = 0;
	}
	table->rows = rows;
}

void table_merge_rows(struct table *table)
{
	struct row_index index;
	const struct table_row *rows = table->rows;
	uint32_t count = table->row_count;
	index_init(&index, count);
	table->rows = work_alloc_array(count, sizeof(*table->rows));
	table->row_count = 0;
	merge_into(table, &index, rows, count);
	finish(table);
}

static void negate(struct table_row *row)
{
	for (uint32_t i = 0; i < TABLE_VALUES_MAX; i++) {
		row->values[i] = (int64_t)(0 - (uint64_t)row->values[i]);
		row->raw[i] = (int64_t)(0 - (uint64_t)row->raw[i]);
	}
}

void table_subtract(struct table *later, const struct table *earlier)
{
	struct row_index index;
	uint64_t all = (uint64_t)later->row_count + earlier->row_count;
	const struct table_row *rows = later->rows;
	uint32_t count = later->row_count;
	struct table_row *negative = work_alloc_array(earlier->row_count, sizeof(*negative));
	for (uint32_t i = 0; i < earlier->row_count; i++) {
		negative[i] = earlier->rows[i];
		negate(&negative[i]);
	}
	index_init(&index, all);
	later->rows = work_alloc_array(all, sizeof(*later->rows));
	later->row_count = 0;
	merge_into(later, &index, rows, count);
	merge_into(later, &index, negative, earlier->row_count);
	finish(later);
}
