/* aggregate.c - clearing what a granularity does not distinguish. */
#include "profile/aggregate.h"

static void aggregate_location(struct profile *profile, struct location *location, const struct granularity *keep)
{
	if (!keep->inlines && location->line_count > 1) {
		location->line_start += location->line_count - 1; /* the outermost frame is the physical function */
		location->line_count = 1;
	}
	struct line *lines = profile_lines(profile, location);
	for (uint32_t i = 0; i < location->line_count; i++) {
		if (!keep->line_numbers)
			lines[i].line = 0;
		if (!keep->line_numbers || !keep->columns)
			lines[i].column = 0;
	}
	if (!keep->addresses)
		location->address = 0;
}

void profile_aggregate(struct profile *profile, const struct granularity *keep)
{
	for (uint32_t i = 0; i < profile->mapping_count; i++) {
		struct mapping *mapping = &profile->mappings[i];
		mapping->has_inline_frames = mapping->has_inline_frames && keep->inlines;
		mapping->has_functions = mapping->has_functions && keep->functions;
		mapping->has_filenames = mapping->has_filenames && keep->filenames;
		mapping->has_line_numbers = mapping->has_line_numbers && keep->line_numbers;
	}
	for (uint32_t i = 0; i < profile->function_count; i++) {
		struct function *function = &profile->functions[i];
		if (!keep->functions)
			function->name = function->system_name = 0;
		if (!keep->filenames)
			function->filename = 0;
	}
	if (keep->inlines && keep->addresses && keep->line_numbers && keep->columns)
		return;
	for (uint32_t i = 0; i < profile->location_count; i++)
		aggregate_location(profile, &profile->locations[i], keep);
}
