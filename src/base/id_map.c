/* id_map.c - ids to indices: a table for dense ids, open addressing for the rest. */
#include "base/id_map.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/xalloc.h"

struct id_map_slot {
	uint64_t id;
	uint32_t index_plus_1; /* 0 = empty */
};

void id_map_init(struct id_map *map, uint32_t expected)
{
	*map = (struct id_map){ 0 };
	map->dense_size = (uint64_t)expected + expected / 4 + 64;
	map->dense = xcalloc(map->dense_size, sizeof(*map->dense));
}

/* Where the kernel gives no random bytes, the seed is 0 and only hostile files are slow. */
static uint64_t random_seed(void)
{
	uint64_t seed = 0;
	return getrandom(&seed, sizeof(seed), GRND_NONBLOCK) == (ssize_t)sizeof(seed) ? seed : 0;
}

void id_map_release(struct id_map *map)
{
	free(map->dense);
	free(map->sparse);
	*map = (struct id_map){ 0 };
}

static struct id_map_slot *slot_of(const struct id_map *map, uint64_t id)
{
	/* Ids are often addresses or counters, whose low bits say little; a hostile file's may be chosen to collide. */
	uint64_t at = id ^ map->seed;
	at = (at ^ at >> 32) * 0x9E3779B97F4A7C15u;
	at = (at ^ at >> 29) * 0xBF58476D1CE4E5B9u >> 32;
	for (;; at++) {
		struct id_map_slot *slot = &map->sparse[at & map->sparse_mask];
		if (slot->index_plus_1 == 0 || slot->id == id)
			return slot;
	}
}

static void sparse_grow(struct id_map *map)
{
	struct id_map_slot *old = map->sparse;
	uint32_t old_size = old ? map->sparse_mask + 1 : 0;
	uint32_t size = old ? old_size * 2 : 64;
	if (!old)
		map->seed = random_seed();
	map->sparse = xcalloc(size, sizeof(*map->sparse));
	map->sparse_mask = size - 1;
	for (uint32_t i = 0; i < old_size; i++) {
		if (old[i].index_plus_1)
			*slot_of(map, old[i].id) = old[i];
	}
	free(old);
}

bool id_map_set(struct id_map *map, uint64_t id, uint32_t index)
{
	if (id < map->dense_size) {
		bool is_new = map->dense[id] == 0;
		map->dense[id] = index + 1;
		return is_new;
	}
	if (!map->sparse || map->sparse_count >= map->sparse_mask / 2)
		sparse_grow(map);
	struct id_map_slot *slot = slot_of(map, id);
	bool is_new = slot->index_plus_1 == 0;
	*slot = (struct id_map_slot){ id, index + 1 };
	map->sparse_count += is_new;
	return is_new;
}

uint32_t id_map_get_sparse(const struct id_map *map, uint64_t id)
{
	return map->sparse ? slot_of(map, id)->index_plus_1 - 1 : UINT32_MAX;
}
