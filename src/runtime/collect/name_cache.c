/* name_cache.c - one mapping: slots of names, slots of strings, and an arena that both point into by offsets. */
#include "runtime/collect/name_cache.h"

#include <string.h>

#include "runtime/shared/pages.h"
#include "runtime/shared/region.h"

#define NAME_SLOTS 16384u
#define STRING_SLOTS 32768u
#define ARENA_SIZE ((uint32_t)(4 * 1024 * 1024 - 1024 * 1024))
#define LINES_MAX 128u /* as many as the helper gives */

struct slot {
	struct name_key key;
	uint32_t lines; /* offset of the lines in the arena */
	uint16_t line_count;
	uint16_t is_final;
};

/* Strings by their offset in the arena; 0 = none. */
struct kept_line {
	uint64_t start_distance; /* address - start of the function; UINT64_MAX = unknown */
	uint32_t function, system_name, file;
	uint32_t line, start_line;
};

struct cache {
	bool busy; /* being written to */
	uint32_t names, strings, arena_used;
	struct slot name_slots[NAME_SLOTS]; /* key.file 0 = empty */
	uint32_t string_slots[STRING_SLOTS];
	char arena[ARENA_SIZE];
};

static struct cache *cache;

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
	return hash ^ hash >> 29;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = mix(hash, (unsigned char)*text);
	return hash;
}

struct name_key name_key_of(const struct module *module, uintptr_t address)
{
	uint64_t file = hash_text(1, module->build_id);
	if (!module->build_id[0])
		file = mix(mix(hash_text(2, module->path), module->inode), module->device);
	return (struct name_key){ file ? file : 1, address - module->start + module->offset };
}

static void empty(void)
{
	pages_unmap(cache, sizeof(*cache));
	cache = pages_map(sizeof(*cache));
	if (cache)
		cache->arena_used = 8; /* offset 0 is no string */
}

static bool is_usable(void)
{
	if (!cache || cache->busy)
		empty();
	return cache != NULL;
}

static struct slot *slot_of(struct name_key key)
{
	uint32_t mask = NAME_SLOTS - 1, at = (uint32_t)mix(key.file, key.offset) & mask;
	while (cache->name_slots[at].key.file &&
	       (cache->name_slots[at].key.file != key.file || cache->name_slots[at].key.offset != key.offset))
		at = (at + 1) & mask;
	return &cache->name_slots[at];
}

static const char *copy_text(uint32_t offset)
{
	if (!offset)
		return NULL;
	size_t size = strlen(cache->arena + offset) + 1;
	return memcpy(work_alloc(size), cache->arena + offset, size);
}

/* Names repeat: a copy already made for this line's other name is used again. */
static void restore_line(const struct kept_line *kept, uintptr_t address, struct name_line *ret_line)
{
	const char *function = copy_text(kept->function);
	*ret_line = (struct name_line){
		.function = function,
		.system_name = kept->system_name == kept->function ? function : copy_text(kept->system_name),
		.file = copy_text(kept->file),
		.line = kept->line,
		.start_line = kept->start_line,
		.function_start = kept->start_distance == UINT64_MAX ? 0 : address - kept->start_distance,
	};
}

bool name_cache_find(struct name_key key, uintptr_t address, struct name *ret_name)
{
	if (!is_usable())
		return false;
	const struct slot *slot = slot_of(key);
	if (!slot->key.file)
		return false;
	struct name_line *lines = work_alloc_array(slot->line_count, sizeof(*lines));
	for (uint32_t i = 0; i < slot->line_count; i++) {
		struct kept_line kept;
		memcpy(&kept, cache->arena + slot->lines + i * sizeof(kept), sizeof(kept));
		restore_line(&kept, address, &lines[i]);
	}
	*ret_name = (struct name){ .lines = lines, .line_count = slot->line_count, .is_final = slot->is_final };
	return true;
}

/* --- keeping -------------------------------------------------------------------------------------------------------- */

/* 0: no room. */
static uint32_t keep_bytes(const void *bytes, size_t size)
{
	if (size > ARENA_SIZE - cache->arena_used)
		return 0;
	uint32_t at = cache->arena_used;
	memcpy(cache->arena + at, bytes, size);
	cache->arena_used += (uint32_t)size;
	return at;
}

/* Sets *ret_offset; false: no room. */
static bool keep_text(const char *text, uint32_t *ret_offset)
{
	*ret_offset = 0;
	if (!text)
		return true;
	uint32_t at = (uint32_t)hash_text(3, text) & (STRING_SLOTS - 1);
	for (; cache->string_slots[at]; at = (at + 1) & (STRING_SLOTS - 1)) {
		if (strcmp(cache->arena + cache->string_slots[at], text) == 0) {
			*ret_offset = cache->string_slots[at];
			return true;
		}
	}
	*ret_offset = keep_bytes(text, strlen(text) + 1);
	cache->string_slots[at] = *ret_offset;
	cache->strings += *ret_offset != 0;
	return *ret_offset != 0;
}

static bool keep_lines(struct name_key key, uintptr_t address, const struct name *name)
{
	struct kept_line kept[LINES_MAX];
	uint32_t count = name->line_count < LINES_MAX ? name->line_count : LINES_MAX;
	if (cache->strings + 3 * count > STRING_SLOTS / 4 * 3 || cache->names >= NAME_SLOTS / 4 * 3)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		const struct name_line *line = &name->lines[i];
		kept[i] = (struct kept_line){
			.start_distance = line->function_start ? address - line->function_start : UINT64_MAX,
			.line = line->line,
			.start_line = line->start_line,
		};
		if (!keep_text(line->function, &kept[i].function) || !keep_text(line->system_name, &kept[i].system_name) ||
		    !keep_text(line->file, &kept[i].file))
			return false;
	}
	uint32_t lines = count ? keep_bytes(kept, count * sizeof(kept[0])) : 8;
	if (!lines)
		return false;
	struct slot *slot = slot_of(key);
	cache->names += slot->key.file == 0;
	*slot = (struct slot){ key, lines, (uint16_t)count, name->is_final };
	return true;
}

void name_cache_put(struct name_key key, uintptr_t address, const struct name *name)
{
	if (!is_usable())
		return;
	cache->busy = true;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	bool kept = keep_lines(key, address, name);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	cache->busy = false;
	if (!kept)
		empty();
}

uint64_t name_cache_bytes(void)
{
	return cache ? sizeof(*cache) : 0;
}
