/* strtab.c - string table with open addressing and XXH3. */
#include "base/strtab.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/xalloc.h"

static void slots_alloc(struct strtab *table, uint32_t expected)
{
	uint32_t count = 64;
	while (count / 2 <= expected && count < (1u << 31))
		count *= 2;
	table->slots = xcalloc(count, sizeof(*table->slots));
	table->slot_mask = count - 1;
}

static uint32_t hash_of(struct str text)
{
	return (uint32_t)XXH3_64bits(text.data, text.length);
}

/* The slot that holds the string, or the empty one where it belongs. */
static struct strtab_slot *slot_of(const struct strtab *table, struct str text, uint32_t hash)
{
	for (uint32_t at = hash;; at++) {
		struct strtab_slot *slot = &table->slots[at & table->slot_mask];
		if (slot->index_plus_1 == 0 || (slot->hash == hash && str_equal(table->strings[slot->index_plus_1 - 1], text)))
			return slot;
	}
}

void strtab_init(struct strtab *table, uint32_t expected)
{
	*table = (struct strtab){ 0 };
	table->capacity = expected < 16 ? 16 : expected;
	table->strings = xreallocarray(NULL, table->capacity, sizeof(*table->strings));
	slots_alloc(table, expected);
	strtab_add(table, NULL, STR_LITERAL(""));
}

void strtab_release(struct strtab *table)
{
	free(table->strings);
	free(table->slots);
	*table = (struct strtab){ 0 };
}

void strtab_copy(struct strtab *table, const struct strtab *from)
{
	*table = *from;
	table->strings = xreallocarray(NULL, from->capacity, sizeof(*table->strings));
	memcpy(table->strings, from->strings, from->count * sizeof(*table->strings));
	size_t slot_count = (size_t)from->slot_mask + 1;
	table->slots = xreallocarray(NULL, slot_count, sizeof(*table->slots));
	memcpy(table->slots, from->slots, slot_count * sizeof(*table->slots));
}

static void slots_grow(struct strtab *table)
{
	struct strtab_slot *old = table->slots;
	uint32_t old_mask = table->slot_mask;
	slots_alloc(table, table->count * 2);
	for (uint32_t i = 0; i <= old_mask; i++) {
		if (!old[i].index_plus_1)
			continue;
		uint32_t at = old[i].hash & table->slot_mask;
		while (table->slots[at].index_plus_1)
			at = (at + 1) & table->slot_mask;
		table->slots[at] = old[i];
	}
	free(old);
}

uint32_t strtab_add(struct strtab *table, struct arena *arena, struct str text)
{
	uint32_t hash = hash_of(text);
	struct strtab_slot *slot = slot_of(table, text, hash);
	if (slot->index_plus_1)
		return slot->index_plus_1 - 1;
	if (table->count == table->capacity) {
		table->capacity *= 2;
		table->strings = xreallocarray(table->strings, table->capacity, sizeof(*table->strings));
	}
	table->strings[table->count] = arena ? arena_copy(arena, text) : text;
	*slot = (struct strtab_slot){ ++table->count, hash };
	if (table->count > table->slot_mask / 2)
		slots_grow(table);
	return table->count - 1;
}

uint32_t strtab_find(const struct strtab *table, struct str text)
{
	return slot_of(table, text, hash_of(text))->index_plus_1 - 1;
}
