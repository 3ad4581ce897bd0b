/* legacy_build.c - samples and locations of a legacy profile as they come in, and their final order. The grammars are in the
 * other legacy files. */
#include "profile/legacy_build.h"

#include <stdlib.h>

#include "base/xalloc.h"

void legacy_init(struct legacy *legacy, struct error *err)
{
	*legacy = (struct legacy){ .err = err };
	profile_init(&legacy->profile);
	id_map_init(&legacy->by_address, 0);
}

void legacy_release(struct legacy *legacy)
{
	profile_release(&legacy->profile);
	id_map_release(&legacy->by_address);
}

static struct value_type value_type_of(struct profile *profile, const char *type, const char *unit)
{
	return (struct value_type){ profile_intern_text(profile, type), profile_intern_text(profile, unit) };
}

void legacy_set_types(struct legacy *legacy, uint32_t count, const char *const *words)
{
	profile_set_sample_types(&legacy->profile, count);
	for (uint32_t i = 0; i < count; i++, words += 2)
		legacy->profile.sample_types[i] = value_type_of(&legacy->profile, words[0], words[1]);
}

void legacy_set_period(struct legacy *legacy, const char *type, const char *unit, int64_t period)
{
	legacy->profile.period_type = value_type_of(&legacy->profile, type, unit);
	legacy->profile.period = period;
}

uint32_t legacy_find_location(const struct legacy *legacy, uint64_t address)
{
	return id_map_get(&legacy->by_address, address);
}

void legacy_push(struct legacy *legacy, uint64_t address)
{
	struct profile *profile = &legacy->profile;
	uint32_t location_ix = id_map_get(&legacy->by_address, address);
	if (location_ix == PROFILE_NONE) {
		location_ix = profile->location_count;
		profile_add_location(profile)->address = address;
		id_map_set(&legacy->by_address, address, location_ix);
	}
	uint32_t at = profile_add_stack(profile, 1);
	profile->sample_locations[at] = location_ix;
}

enum status legacy_push_numbers(struct legacy *legacy, struct str text, struct str line, uint32_t start,
                                enum adjustment adjustment)
{
	size_t at = 0;
	for (struct str number; next_hex_number(text, &at, &number);) {
		uint64_t address;
		if (parse_uint(number, 0, &address) != NUMBER_OK)
			return error_set(legacy->err, STATUS_FORMAT,
			                 "malformed sample: %.*s: failed to parse as hex 64-bit number: %.*s", STR_ARG(line),
			                 STR_ARG(number));
		bool is_first = legacy->profile.sample_location_count == start;
		if (adjustment == ADJUST_ALL || (adjustment == ADJUST_CALLERS && !is_first))
			address--;
		legacy_push(legacy, address);
	}
	return STATUS_OK;
}

int64_t *legacy_add_sample(struct legacy *legacy, uint32_t start)
{
	struct profile *profile = &legacy->profile;
	uint32_t sample_ix = profile_add_sample(profile);
	struct sample *sample = &profile->samples[sample_ix];
	sample->location_start = start;
	sample->location_count = profile->sample_location_count - start;
	return profile_values(profile, sample_ix);
}

void legacy_label_bytes(struct legacy *legacy, int64_t block_size)
{
	struct profile *profile = &legacy->profile;
	struct sample *sample = &profile->samples[profile->sample_count - 1];
	sample->label_start = profile_add_labels(profile, 1);
	sample->number_count = 1;
	profile->labels[sample->label_start] = (struct label){
		.key = profile_intern_text(profile, "bytes"),
		.number = block_size,
	};
}

void legacy_drop_repeated_leaves(struct legacy *legacy)
{
	struct profile *profile = &legacy->profile;
	for (uint32_t i = 0; i < profile->sample_count; i++) {
		struct sample *sample = &profile->samples[i];
		if (sample->location_count < 2)
			continue;
		uint32_t *stack = profile_stack(profile, sample);
		if (profile->locations[stack[0]].address != profile->locations[stack[1]].address + 1)
			continue;
		stack[1] = stack[0];
		sample->location_start++;
		sample->location_count--;
	}
}

/* --- order of first use ----------------------------------------------------------------------------------------- */

static uint32_t *new_indices(uint32_t count)
{
	uint32_t *indices = xreallocarray(NULL, count, sizeof(*indices));
	for (uint32_t i = 0; i < count; i++)
		indices[i] = PROFILE_NONE;
	return indices;
}

static void renumber_locations(struct profile *profile)
{
	uint32_t *new_ix = new_indices(profile->location_count);
	struct location *ordered = xreallocarray(NULL, profile->location_count, sizeof(*ordered));
	uint32_t count = 0;
	for (uint32_t i = 0; i < profile->sample_count; i++) {
		const struct sample *sample = &profile->samples[i];
		uint32_t *stack = profile_stack(profile, sample);
		for (uint32_t k = 0; k < sample->location_count; k++) {
			uint32_t old = stack[k];
			if (new_ix[old] == PROFILE_NONE) {
				new_ix[old] = count;
				ordered[count] = profile->locations[old];
				ordered[count].id = count + 1;
				count++;
			}
			stack[k] = new_ix[old];
		}
	}
	free(new_ix);
	free(profile->locations);
	profile->locations = ordered;
	profile->location_capacity = profile->location_count;
	profile->location_count = count;
}

static void renumber_functions(struct profile *profile)
{
	if (profile->function_count == 0)
		return;
	uint32_t *new_ix = new_indices(profile->function_count);
	struct function *ordered = xreallocarray(NULL, profile->function_count, sizeof(*ordered));
	uint32_t count = 0;
	for (uint32_t i = 0; i < profile->location_count; i++) {
		const struct location *location = &profile->locations[i];
		struct line *lines = profile_lines(profile, location);
		for (uint32_t k = 0; k < location->line_count; k++) {
			uint32_t old = lines[k].function_ix;
			if (new_ix[old] == PROFILE_NONE) {
				new_ix[old] = count;
				ordered[count] = profile->functions[old];
				ordered[count].id = count + 1;
				count++;
			}
			lines[k].function_ix = new_ix[old];
		}
	}
	free(new_ix);
	free(profile->functions);
	profile->functions = ordered;
	profile->function_capacity = profile->function_count;
	profile->function_count = count;
}

void legacy_renumber(struct legacy *legacy)
{
	renumber_locations(&legacy->profile);
	renumber_functions(&legacy->profile);
}

/* --- failures --------------------------------------------------------------------------------------------------- */

enum status legacy_scan_failure(struct legacy *legacy, const struct line_scanner *lines)
{
	return lines->too_long ? error_set(legacy->err, STATUS_FORMAT, "bufio.Scanner: token too long") : STATUS_OK;
}

enum status legacy_bad_number(struct legacy *legacy, const char *prefix, struct str line, enum number_result result,
                              struct str number)
{
	return error_set(legacy->err, STATUS_FORMAT, "%s %.*s: strconv.ParseInt: parsing \"%.*s\": %s", prefix,
	                 STR_ARG(line), STR_ARG(number), result == NUMBER_RANGE ? "value out of range" : "invalid syntax");
}
