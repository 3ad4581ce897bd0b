/* tag_frames.c - pseudo frames from labels. */
#include "profile/tag_frames.h"

#include <stdlib.h>
#include <string.h>

#include "base/id_map.h"
#include "base/xalloc.h"
#include "profile/labels.h"
#include "profile/units.h"

struct frame_maker {
	struct profile *profile;
	struct str unit;
	uint64_t next_location_id, next_function_id;
	struct id_map locations; /* name << 32 | key → location */
	struct buffer name;
};

static uint32_t frame_location(struct frame_maker *maker, uint32_t name, uint32_t key)
{
	struct profile *profile = maker->profile;
	uint64_t pair = (uint64_t)name << 32 | key;
	uint32_t known = id_map_get(&maker->locations, pair);
	if (known != UINT32_MAX)
		return known;
	struct function *function = profile_add_function(profile);
	*function = (struct function){ .id = maker->next_function_id++, .name = name, .filename = key };
	uint32_t line_ix = profile_add_lines(profile, 1);
	profile->lines[line_ix].function_ix = profile->function_count - 1;
	struct location *location = profile_add_location(profile);
	location->id = maker->next_location_id++;
	location->line_start = line_ix;
	location->line_count = 1;
	id_map_set(&maker->locations, pair, profile->location_count - 1);
	return profile->location_count - 1;
}

static void append_value(struct frame_maker *maker, struct str value, bool *any)
{
	if (*any)
		buffer_append_char(&maker->name, ',');
	*any = true;
	buffer_append_str(&maker->name, value);
}

static bool key_has_unit(const struct label *labels, uint32_t count, uint32_t key)
{
	for (uint32_t i = 0; i < count; i++) {
		if (labels[i].key == key && labels[i].text_ix)
			return true;
	}
	return false;
}

/* The frame of one key for one sample; true if the sample has the label. */
static bool make_frame(struct frame_maker *maker, const struct sample *sample, uint32_t key, uint32_t *ret_location)
{
	struct profile *profile = maker->profile;
	bool any = false;
	buffer_clear(&maker->name);
	const struct label *labels = sample_text_labels(profile, sample);
	for (uint32_t i = 0; i < sample->text_count; i++) {
		if (labels[i].key == key)
			append_value(maker, profile_str(profile, labels[i].text_ix), &any);
	}
	labels = sample_number_labels(profile, sample);
	bool has_unit = key_has_unit(labels, sample->number_count, key);
	for (uint32_t i = 0; i < sample->number_count; i++) {
		if (labels[i].key != key)
			continue;
		char text[UNIT_LABEL_SIZE];
		struct str to = has_unit ? maker->unit : STR_LITERAL("");
		size_t length = unit_label(text, labels[i].number, profile_str(profile, labels[i].text_ix), to);
		append_value(maker, (struct str){ text, length }, &any);
	}
	*ret_location = frame_location(maker, profile_intern(profile, buffer_str(&maker->name)), key);
	return any;
}

/* The last key stands nearest the leaf, among roots and among leaves. */
static void make_frames(struct frame_maker *maker, const struct sample *sample, const uint32_t *keys, uint32_t count,
                        uint32_t *to, bool *hit)
{
	for (uint32_t i = 0; i < count; i++)
		*hit |= make_frame(maker, sample, keys[count - 1 - i], &to[i]);
}

static uint32_t *intern_keys(struct profile *profile, const struct str *keys, uint32_t count)
{
	uint32_t *interned = xreallocarray(NULL, count, sizeof(*interned));
	for (uint32_t i = 0; i < count; i++)
		interned[i] = profile_intern(profile, keys[i]);
	return interned;
}

void profile_add_tag_frames(struct profile *profile, const struct str *roots, uint32_t root_count,
                            const struct str *leaves, uint32_t leaf_count, struct str unit, bool *ret_root_hit,
                            bool *ret_leaf_hit)
{
	*ret_root_hit = *ret_leaf_hit = false;
	if (root_count + leaf_count == 0)
		return;
	struct frame_maker maker = { .profile = profile, .unit = unit, .next_location_id = 1, .next_function_id = 1 };
	for (uint32_t i = 0; i < profile->location_count; i++) {
		if (profile->locations[i].id >= maker.next_location_id)
			maker.next_location_id = profile->locations[i].id + 1;
	}
	for (uint32_t i = 0; i < profile->function_count; i++) {
		if (profile->functions[i].id >= maker.next_function_id)
			maker.next_function_id = profile->functions[i].id + 1;
	}
	id_map_init(&maker.locations, 0);
	buffer_init(&maker.name, BUFFER_UNLIMITED);
	uint32_t *root_keys = intern_keys(profile, roots, root_count),
			 *leaf_keys = intern_keys(profile, leaves, leaf_count);
	uint32_t *old_stacks = profile->sample_locations;
	profile->sample_locations = NULL;
	profile->sample_location_count = profile->sample_location_capacity = 0;
	for (uint32_t i = 0; i < profile->sample_count; i++) {
		struct sample *sample = &profile->samples[i];
		uint32_t count = sample->location_count;
		uint32_t start = profile_add_stack(profile, count + root_count + leaf_count);
		uint32_t *leaf_frames = profile->sample_locations + start, *stack = leaf_frames + leaf_count;
		/* Roots first: they get the lower ids. */
		make_frames(&maker, sample, root_keys, root_count, stack + count, ret_root_hit);
		make_frames(&maker, sample, leaf_keys, leaf_count, leaf_frames, ret_leaf_hit);
		if (count)
			memcpy(stack, old_stacks + sample->location_start, count * sizeof(*stack));
		sample->location_start = start;
		sample->location_count = count + root_count + leaf_count;
	}
	free(old_stacks);
	free(root_keys);
	free(leaf_keys);
	id_map_release(&maker.locations);
	buffer_release(&maker.name);
}
