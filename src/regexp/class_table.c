/* class_table.c - the classes of one pattern, each held once. */
#include "regexp/class_table.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/xalloc.h"

void class_table_init(struct class_table *table, struct arena *arena)
{
	*table = (struct class_table){ .arena = arena };
	id_map_init(&table->by_hash, 0);
	id_map_init(&table->by_name, 0);
}

void class_table_release(struct class_table *table)
{
	id_map_release(&table->by_hash);
	id_map_release(&table->by_name);
	free(table->classes);
}

static uint32_t add(struct class_table *table, const struct char_class *class)
{
	struct shared_class *shared = arena_alloc(table->arena, sizeof(*shared));
	*shared = (struct shared_class){ .count = class->count };
	if (class->count) {
		struct char_range *ranges = arena_alloc_array(table->arena, class->count, sizeof(*ranges));
		memcpy(ranges, class->ranges, class->count * sizeof(*ranges));
		shared->ranges = ranges;
	}
	table->classes = xgrow(table->classes, table->count, &table->capacity, sizeof(struct shared_class *));
	table->classes[table->count] = shared;
	return (uint32_t)table->count++;
}

static uint32_t intern(struct class_table *table, const struct char_class *class)
{
	size_t size = class->count * sizeof(*class->ranges);
	uint64_t hash = XXH3_64bits(class->ranges, size);
	uint32_t class_ix = id_map_get(&table->by_hash, hash);
	if (class_ix != UINT32_MAX) {
		const struct shared_class *shared = table->classes[class_ix];
		if (shared->count == class->count && (size == 0 || memcmp(shared->ranges, class->ranges, size) == 0))
			return class_ix;
	}
	/* Of two with one hash the later one is found. */
	class_ix = add(table, class);
	id_map_set(&table->by_hash, hash, class_ix);
	return class_ix;
}

struct shared_class *class_table_intern(struct class_table *table, const struct char_class *class)
{
	uint32_t class_ix = intern(table, class);
	return table->classes[class_ix];
}

struct shared_class *class_table_named(const struct class_table *table, uint64_t name)
{
	uint32_t class_ix = id_map_get(&table->by_name, name);
	return class_ix == UINT32_MAX ? NULL : table->classes[class_ix];
}

struct shared_class *class_table_name(struct class_table *table, uint64_t name, const struct char_class *class)
{
	uint32_t class_ix = intern(table, class);
	id_map_set(&table->by_name, name, class_ix);
	return table->classes[class_ix];
}
