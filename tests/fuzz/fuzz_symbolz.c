/* fuzz_symbolz.c - any bytes as a program's answer to symbolz, for mappings whose addresses were asked for. */
#include <stdint.h>
#include <stdlib.h>

#include "symbolize/mapping_locations.h"
#include "symbolize/symbolize.h"

#define LOCATIONS 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct profile profile;
	struct mapping_locations groups;
	profile_init(&profile);
	profile_add_mapping(&profile);
	profile_add_mapping(&profile);
	for (uint32_t i = 0; i < LOCATIONS; i++) {
		struct location *location = profile_add_location(&profile);
		location->address = i < LOCATIONS / 2 ? 0x10 * i : UINT64_MAX - i;
		location->mapping_ix = i % 3 < 2 ? i % 3 : PROFILE_NONE;
	}
	mapping_locations_init(&groups, &profile);
	for (uint32_t i = 0; i < profile.mapping_count; i++) {
		size_t count;
		const uint32_t *locations = mapping_locations_of(&groups, i, &count);
		struct buffer body;
		buffer_init(&body, BUFFER_UNLIMITED);
		if (!symbolz_request(&profile, locations, count, i, &body))
			abort();
		symbolz_apply(&profile, locations, count, i, (struct str){ (const char *)data, size });
		buffer_release(&body);
	}
	for (uint32_t i = 0; i < profile.location_count; i++) {
		const struct location *location = &profile.locations[i];
		if (location->line_count && (location->mapping_ix == PROFILE_NONE ||
		                             profile_lines(&profile, location)->function_ix >= profile.function_count))
			abort();
	}
	mapping_locations_release(&groups);
	profile_release(&profile);
	return 0;
}
