/* mapping_locations.c - a counting sort of the locations by mapping. */
#include "symbolize/mapping_locations.h"

#include <stdlib.h>

#include "base/xalloc.h"

void mapping_locations_init(struct mapping_locations *groups, const struct profile *profile)
{
	uint32_t *starts = xcalloc((size_t)profile->mapping_count + 2, sizeof(*starts));
	uint32_t *items = xreallocarray(NULL, profile->location_count, sizeof(*items));
	/* Counted two places on, so that filling moves each start to where it belongs. */
	for (uint32_t i = 0; i < profile->location_count; i++) {
		if (profile->locations[i].mapping_ix != PROFILE_NONE)
			starts[(size_t)profile->locations[i].mapping_ix + 2]++;
	}
	for (size_t i = 2; i < (size_t)profile->mapping_count + 2; i++)
		starts[i] += starts[i - 1];
	for (uint32_t i = 0; i < profile->location_count; i++) {
		if (profile->locations[i].mapping_ix != PROFILE_NONE)
			items[starts[(size_t)profile->locations[i].mapping_ix + 1]++] = i;
	}
	*groups = (struct mapping_locations){ starts, items };
}

void mapping_locations_release(struct mapping_locations *groups)
{
	free(groups->starts);
	free(groups->items);
}
