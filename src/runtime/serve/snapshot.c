/* snapshot.c - packing and unpacking of snapshot.h's block.
 *
 * A row is: frame count | label count << 32, stack id, values, raw values, frames, labels. A label is: key, unit, number, length of its
 * text + 1 (0 = a number label), the text with a zero byte, up to the next word.
 */
#include "runtime/serve/snapshot.h"

#include <string.h>

#include "runtime/shared/pages.h"
#include "runtime/shared/region.h"
#include "runtime/shared/sys.h"

#define WORD sizeof(uint64_t)

static bool is_name(const struct table_label *label)
{
	return label->key && strcmp(label->key, "lock_name") == 0;
}

void snapshot_set_names_aside(struct table *table)
{
	for (uint32_t i = 0; i < table->row_count; i++) {
		struct table_row *row = &table->rows[i];
		if (row->label_count && is_name(&row->labels[row->label_count - 1]))
			row->label_count--;
	}
}

/* Behind the last label; a row of a snapshot has nothing there. */
void snapshot_put_names_back(struct table *table)
{
	for (uint32_t i = 0; i < table->row_count; i++) {
		struct table_row *row = &table->rows[i];
		if (row->label_count < TABLE_LABELS_MAX && is_name(&row->labels[row->label_count]))
			row->label_count++;
	}
}

static size_t text_words(const struct table_label *label)
{
	return label->text ? (strlen(label->text) + WORD) / WORD : 0;
}

static size_t row_words(const struct table_row *row, uint32_t value_count)
{
	size_t words = 2 + 2 * (size_t)value_count + row->frame_count;
	for (uint32_t i = 0; i < row->label_count; i++)
		words += 4 + text_words(&row->labels[i]);
	return words;
}

static uint64_t *pack_label(uint64_t *to, const struct table_label *label)
{
	size_t length = label->text ? strlen(label->text) : 0;
	*to++ = (uintptr_t)label->key;
	*to++ = (uintptr_t)label->unit;
	*to++ = (uint64_t)label->number;
	*to++ = label->text ? length + 1 : 0;
	if (label->text)
		memcpy(to, label->text, length + 1);
	return to + text_words(label);
}

static uint64_t *pack_row(uint64_t *to, const struct table_row *row, uint32_t value_count)
{
	*to++ = row->frame_count | (uint64_t)row->label_count << 32;
	*to++ = row->stack;
	memcpy(to, row->values, value_count * WORD);
	memcpy(to + value_count, row->raw, value_count * WORD);
	to += 2 * (size_t)value_count;
	if (row->frame_count)
		memcpy(to, row->frames, row->frame_count * WORD);
	to += row->frame_count;
	for (uint32_t i = 0; i < row->label_count; i++)
		to = pack_label(to, &row->labels[i]);
	return to;
}

size_t snapshot_size(const struct table *table)
{
	size_t words = 1; /* a block is never empty */
	for (uint32_t i = 0; i < table->row_count; i++)
		words += row_words(&table->rows[i], table->value_count);
	return words * WORD;
}

bool snapshot_take(const struct table *table, struct snapshot *ret_snapshot)
{
	size_t size = snapshot_size(table);
	uint64_t *block = pages_map(size), *to = block;
	if (!block)
		return false;
	for (uint32_t i = 0; i < table->row_count; i++)
		to = pack_row(to, &table->rows[i], table->value_count);
	*ret_snapshot = (struct snapshot){ block, size, table->row_count, table->value_count, monotonic_ns() };
	return true;
}

/* The block keeps addresses as numbers. */
static const void *address_of(uint64_t word)
{
	return (const void *)(uintptr_t)word;
}

static const uint64_t *unpack_label(const uint64_t *from, struct table_label *ret_label)
{
	const char *text = from[3] ? (const char *)(from + 4) : NULL;
	*ret_label = (struct table_label){ address_of(from[0]), text, (int64_t)from[2], address_of(from[1]) };
	return from + 4 + text_words(ret_label);
}

static const uint64_t *unpack_row(const uint64_t *from, uint32_t value_count, struct table_row *ret_row)
{
	*ret_row = (struct table_row){ .frame_count = (uint32_t)*from, .label_count = (uint32_t)(*from >> 32) };
	ret_row->stack = (uint32_t)from[1];
	from += 2;
	memcpy(ret_row->values, from, value_count * WORD);
	memcpy(ret_row->raw, from + value_count, value_count * WORD);
	from += 2 * (size_t)value_count;
	ret_row->frames = (const uintptr_t *)from;
	from += ret_row->frame_count;
	for (uint32_t i = 0; i < ret_row->label_count; i++)
		from = unpack_label(from, &ret_row->labels[i]);
	return from;
}

void snapshot_restore(const struct snapshot *snapshot, struct table *ret_table)
{
	const uint64_t *from = snapshot->words;
	*ret_table = (struct table){ .value_count = snapshot->value_count, .row_count = snapshot->row_count };
	ret_table->rows = work_alloc_array(snapshot->row_count, sizeof(*ret_table->rows));
	for (uint32_t i = 0; i < snapshot->row_count; i++)
		from = unpack_row(from, snapshot->value_count, &ret_table->rows[i]);
}

void snapshot_release(struct snapshot *snapshot)
{
	if (snapshot->words)
		pages_unmap(snapshot->words, snapshot->size);
	*snapshot = (struct snapshot){ 0 };
}
