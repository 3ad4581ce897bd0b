/* profile.c - making, copying and growing a struct profile. */
#include "profile/profile.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

void profile_init(struct profile *profile)
{
	*profile = (struct profile){ 0 };
	arena_init(&profile->arena);
	strtab_init(&profile->strings, 0);
}

void profile_release(struct profile *profile)
{
	free(profile->sample_types);
	free(profile->samples);
	free(profile->values);
	free(profile->sample_locations);
	free(profile->labels);
	free(profile->locations);
	free(profile->lines);
	free(profile->functions);
	free(profile->mappings);
	free(profile->comments);
	strtab_release(&profile->strings);
	arena_release(&profile->arena);
	*profile = (struct profile){ 0 };
}

static void *array_copy(const void *from, size_t count, size_t size)
{
	void *copy = xreallocarray(NULL, count, size);
	if (count)
		memcpy(copy, from, count * size);
	return copy;
}

void profile_copy(struct profile *profile, const struct profile *from)
{
	*profile = *from;
	arena_init(&profile->arena);
	strtab_copy(&profile->strings, &from->strings);
#define COPY(array, n) profile->array = array_copy(from->array, n, sizeof(*from->array))
	COPY(sample_types, from->sample_type_count);
	COPY(samples, from->sample_count);
	COPY(values, (size_t)from->sample_count * from->sample_type_count);
	COPY(sample_locations, from->sample_location_count);
	COPY(labels, from->label_count);
	COPY(locations, from->location_count);
	COPY(lines, from->line_count);
	COPY(functions, from->function_count);
	COPY(mappings, from->mapping_count);
	COPY(comments, from->comment_count);
#undef COPY
	profile->sample_capacity = from->sample_count;
	profile->sample_location_capacity = from->sample_location_count;
	profile->label_capacity = from->label_count;
	profile->location_capacity = from->location_count;
	profile->line_capacity = from->line_count;
	profile->function_capacity = from->function_count;
	profile->mapping_capacity = from->mapping_count;
}

uint32_t profile_intern(struct profile *profile, struct str text)
{
	return strtab_add(&profile->strings, &profile->arena, text);
}

uint32_t profile_intern_text(struct profile *profile, const char *text)
{
	return profile_intern(profile, str_of(text));
}

/* Makes room for `more` elements behind `count` and claims them; returns the array, moved if need be. */
static void *array_extend(void *array, uint32_t *count, uint32_t *capacity, uint32_t more, size_t size)
{
	if (more > *capacity - *count) {
		size_t wanted = (size_t)*capacity + *capacity / 2 + 16;
		if (wanted < (size_t)*count + more)
			wanted = (size_t)*count + more;
		if (wanted > UINT32_MAX)
			wanted = (size_t)*count + more <= UINT32_MAX ? UINT32_MAX : SIZE_MAX / size; /* the latter ends it */
		array = xreallocarray(array, wanted, size);
		*capacity = (uint32_t)wanted;
	}
	*count += more;
	return array;
}

#define EXTEND(profile, array, more) \
	((profile)->array##s = array_extend((profile)->array##s, &(profile)->array##_count, &(profile)->array##_capacity, \
	                                    more, sizeof(*(profile)->array##s)))

#define RESERVE(profile, array, wanted) \
	do { \
		if ((wanted) > (profile)->array##_capacity) { \
			(profile)->array##s = xreallocarray((profile)->array##s, wanted, sizeof(*(profile)->array##s)); \
			(profile)->array##_capacity = wanted; \
		} \
	} while (0)

void profile_reserve_tables(struct profile *profile, uint32_t mappings, uint32_t locations, uint32_t functions)
{
	RESERVE(profile, mapping, mappings);
	RESERVE(profile, location, locations);
	RESERVE(profile, function, functions);
	RESERVE(profile, line, locations);
}

void profile_reserve_samples(struct profile *profile, size_t samples, size_t stack_entries)
{
	if (samples > UINT32_MAX || stack_entries > UINT32_MAX)
		return;
	RESERVE(profile, sample, (uint32_t)samples);
	profile->values = xreallocarray(profile->values, profile->sample_capacity,
	                                profile->sample_type_count * sizeof(*profile->values));
	RESERVE(profile, sample_location, (uint32_t)stack_entries);
}

struct location *profile_add_location(struct profile *profile)
{
	EXTEND(profile, location, 1);
	struct location *location = &profile->locations[profile->location_count - 1];
	*location = (struct location){ .mapping_ix = PROFILE_NONE };
	return location;
}

struct function *profile_add_function(struct profile *profile)
{
	EXTEND(profile, function, 1);
	struct function *function = &profile->functions[profile->function_count - 1];
	*function = (struct function){ 0 };
	return function;
}

struct mapping *profile_add_mapping(struct profile *profile)
{
	EXTEND(profile, mapping, 1);
	struct mapping *mapping = &profile->mappings[profile->mapping_count - 1];
	*mapping = (struct mapping){ 0 };
	return mapping;
}

uint32_t profile_add_lines(struct profile *profile, uint32_t count)
{
	uint32_t start = profile->line_count;
	EXTEND(profile, line, count);
	if (count)
		memset(profile->lines + start, 0, count * sizeof(*profile->lines));
	return start;
}

uint32_t profile_add_stack(struct profile *profile, uint32_t count)
{
	uint32_t start = profile->sample_location_count;
	EXTEND(profile, sample_location, count);
	return start;
}

uint32_t profile_add_labels(struct profile *profile, uint32_t count)
{
	uint32_t start = profile->label_count;
	EXTEND(profile, label, count);
	return start;
}

uint32_t profile_add_sample(struct profile *profile)
{
	uint32_t old_capacity = profile->sample_capacity;
	EXTEND(profile, sample, 1);
	if (profile->sample_capacity != old_capacity)
		profile->values = xreallocarray(profile->values, profile->sample_capacity,
		                                profile->sample_type_count * sizeof(*profile->values));
	uint32_t sample_ix = profile->sample_count - 1;
	profile->samples[sample_ix] = (struct sample){ 0 };
	if (profile->sample_type_count)
		memset(profile_values(profile, sample_ix), 0, profile->sample_type_count * sizeof(*profile->values));
	return sample_ix;
}

void profile_set_sample_types(struct profile *profile, uint32_t count)
{
	free(profile->sample_types);
	profile->sample_types = xcalloc(count, sizeof(*profile->sample_types));
	profile->sample_type_count = count;
}

void profile_add_comment(struct profile *profile, struct str text)
{
	profile->comments = xreallocarray(profile->comments, profile->comment_count + 1, sizeof(*profile->comments));
	profile->comments[profile->comment_count++] = profile_intern(profile, text);
}
