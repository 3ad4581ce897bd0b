/* functions.c - a hash table over the functions that symbolization adds. */
#include "symbolize/functions.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/xalloc.h"

static uint32_t hash(uint32_t name, uint32_t filename, int64_t start_line)
{
	uint64_t key[2] = { (uint64_t)name << 32 | filename, (uint64_t)start_line };
	return (uint32_t)XXH3_64bits(key, sizeof(key));
}

void function_table_init(struct function_table *table, struct profile *profile)
{
	*table = (struct function_table){ .profile = profile, .mask = 255 };
	table->slots = xcalloc(table->mask + 1, sizeof(*table->slots));
}

void function_table_release(struct function_table *table)
{
	free(table->slots);
}

static uint32_t *find_slot(const struct function_table *table, uint32_t name, uint32_t filename, int64_t start_line)
{
	for (uint32_t at = hash(name, filename, start_line) & table->mask;; at = (at + 1) & table->mask) {
		if (!table->slots[at])
			return &table->slots[at];
		const struct function *function = &table->profile->functions[table->slots[at] - 1];
		if (function->name == name && function->filename == filename && function->start_line == start_line)
			return &table->slots[at];
	}
}

static void grow(struct function_table *table)
{
	uint32_t *old = table->slots, old_mask = table->mask;
	table->mask = old_mask * 2 + 1;
	table->slots = xcalloc((size_t)table->mask + 1, sizeof(*table->slots));
	for (uint32_t i = 0; i <= old_mask; i++) {
		if (!old[i])
			continue;
		const struct function *function = &table->profile->functions[old[i] - 1];
		*find_slot(table, function->name, function->filename, function->start_line) = old[i];
	}
	free(old);
}

uint32_t function_table_add(struct function_table *table, uint32_t name, uint32_t filename, int64_t start_line)
{
	uint32_t *slot = find_slot(table, name, filename, start_line);
	if (*slot)
		return *slot - 1;
	struct function *function = profile_add_function(table->profile);
	*function = (struct function){
		.id = table->profile->function_count,
		.name = name,
		.system_name = name,
		.filename = filename,
		.start_line = start_line,
	};
	uint32_t added = table->profile->function_count - 1;
	*slot = added + 1;
	if (++table->count > table->mask / 2)
		grow(table);
	return added;
}
