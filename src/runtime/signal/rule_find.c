/* rule_find.c - puts modules, tables and the cache together. */
#include "runtime/signal/rule_find.h"

#include "runtime/signal/module_map.h"
#include "runtime/signal/rule_cache.h"

static bool find_tables(uintptr_t address, bool may_vanish, struct cfi_tables *ret_tables)
{
	struct late_module module;
	if (module_map_staying(address, ret_tables))
		return ret_tables->header != 0;
	return module_map_late(address, may_vanish, &module) != LATE_NONE && module_map_late_tables(&module, ret_tables);
}

bool rule_find_row(uintptr_t address, bool may_vanish, struct cfi_room *room, struct cfi_row *ret_row)
{
	struct cfi_tables tables;
	return find_tables(address, may_vanish, &tables) && cfi_find(&tables, address, room, ret_row);
}

static __attribute__((noinline)) uintptr_t find_function_by_copies(uintptr_t address)
{
	struct cfi_room room;
	struct cfi_row row;
	return rule_find_row(address, true, &room, &row) ? row.function : 0;
}

uintptr_t rule_find_function(uintptr_t address, bool may_vanish)
{
	struct cfi_row row;
	if (may_vanish)
		return find_function_by_copies(address);
	return rule_find_row(address, false, NULL, &row) ? row.function : 0;
}

static uint32_t read_rule(const struct cfi_tables *tables, uintptr_t address, struct cfi_room *room)
{
	struct cfi_row row;
	if (!tables->header || !cfi_find(tables, address, room, &row))
		return RULE_NONE;
	return rule_of_row(&row, address);
}

/* Apart, since the room is large and handlers have no use for it. */
static __attribute__((noinline)) uint32_t read_rule_by_copies(const struct cfi_tables *tables, uintptr_t address)
{
	struct cfi_room room;
	return read_rule(tables, address, &room);
}

/* `word`: what the cache has for the address; 0 = nothing. */
static uint32_t find_late(uintptr_t address, bool may_vanish, uint64_t word)
{
	struct late_module module, after;
	struct cfi_tables tables;
	enum late late = module_map_late(address, may_vanish, &module);
	if (late == LATE_KEEP && word)
		word = rule_cache_get(address, &word) ? word : 0; /* what an earlier module had left was dropped just now */
	if (late == LATE_KEEP && word)
		return (uint32_t)word & RULE_BITS;
	if (late == LATE_NONE || !module_map_late_tables(&module, &tables))
		return RULE_NONE;
	uint32_t rule = may_vanish ? read_rule_by_copies(&tables, address) : read_rule(&tables, address, NULL);
	if (late == LATE_NO_KEEP)
		return rule;
	rule_cache_put(address, rule, true);
	/* Nothing held the module while its tables were read: is it still the same? */
	if (may_vanish && (module_map_late(address, true, &after) != LATE_KEEP || after.identity != module.identity))
		rule_cache_drop(address);
	return rule;
}

uint32_t rule_find(uintptr_t address, bool may_vanish)
{
	struct cfi_tables tables;
	uint64_t word;
	if (!rule_cache_get(address, &word))
		word = 0;
	else if (!(word & RULE_LATE))
		return (uint32_t)word & RULE_BITS;
	if (word || !module_map_staying(address, &tables))
		return find_late(address, may_vanish, word);
	uint32_t rule = read_rule(&tables, address, NULL);
	rule_cache_put(address, rule, false);
	return rule;
}
