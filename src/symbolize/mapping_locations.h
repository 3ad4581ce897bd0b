/* mapping_locations.h - the locations of a profile by mapping, so that no mapping need look through all of them. */
#ifndef CPPROF_SYMBOLIZE_MAPPING_LOCATIONS_H
#define CPPROF_SYMBOLIZE_MAPPING_LOCATIONS_H

#include <stddef.h>
#include <stdint.h>

#include "profile/profile.h"

/* Those of mapping i are items[starts[i]..starts[i + 1]), in the order of the profile. */
struct mapping_locations {
	uint32_t *starts;
	uint32_t *items;
};

/* Holds as long as neither mappings nor locations are added and no location changes its mapping. */
void mapping_locations_init(struct mapping_locations *groups, const struct profile *profile);
void mapping_locations_release(struct mapping_locations *groups);

/* Indices of locations; *ret_count may be 0. */
static inline const uint32_t *mapping_locations_of(const struct mapping_locations *groups, uint32_t mapping_ix,
                                                   size_t *ret_count)
{
	*ret_count = groups->starts[mapping_ix + 1] - groups->starts[mapping_ix];
	return groups->items + groups->starts[mapping_ix];
}

#endif
