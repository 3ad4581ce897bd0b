/* id_map.h - 64-bit ids to array indices: wire ids of a profile, pairs of indices.
 *
 * Wire ids are dense from 1 in nearly every profile: those index a table. Any others (a hostile file may use all 64 bits) go to
 * a hash table.
 */
#ifndef CPPROF_BASE_ID_MAP_H
#define CPPROF_BASE_ID_MAP_H

#include <stdbool.h>
#include <stdint.h>

struct id_map {
	uint32_t *dense; /* index + 1 by id; 0 = absent */
	uint64_t dense_size;
	struct id_map_slot *sparse;
	uint64_t seed; /* of the hash */
	uint32_t sparse_mask;
	uint32_t sparse_count;
};

/* `expected` = how many ids will come. */
void id_map_init(struct id_map *map, uint32_t expected);
void id_map_release(struct id_map *map);
/* Maps the id to the index, replacing an earlier one; returns false if there was one. */
bool id_map_set(struct id_map *map, uint64_t id, uint32_t index);
uint32_t id_map_get_sparse(const struct id_map *map, uint64_t id);

/* The index, or UINT32_MAX. */
static inline uint32_t id_map_get(const struct id_map *map, uint64_t id)
{
	if (__builtin_expect(id < map->dense_size, 1))
		return map->dense[id] - 1;
	return id_map_get_sparse(map, id);
}

#endif
