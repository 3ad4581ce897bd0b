/* frame_set.c - a hash set that remembers the order. */
#include "runtime/collect/frame_set.h"

#include <string.h>

#include "runtime/shared/frames.h"
#include "runtime/shared/region.h"
#include "runtime/signal/unwind.h"

#define FIRST_CAPACITY 1024u

void frame_set_init(struct frame_set *set)
{
	*set = (struct frame_set){
		.frames = work_alloc_array(FIRST_CAPACITY, sizeof(*set->frames)),
		.capacity = FIRST_CAPACITY,
		.slots = work_alloc_array((size_t)2 * FIRST_CAPACITY, sizeof(*set->slots)),
		.mask = 2 * FIRST_CAPACITY - 1,
	};
}

static uint32_t *slot_of(const struct frame_set *set, uintptr_t frame)
{
	uint64_t hash = frame * 0x9E3779B97F4A7C15u;
	uint32_t at = (uint32_t)(hash >> 32) & set->mask;
	while (set->slots[at] && set->frames[set->slots[at] - 1] != frame)
		at = (at + 1) & set->mask;
	return &set->slots[at];
}

static void grow(struct frame_set *set)
{
	struct frame_set larger = *set;
	if (set->capacity > UINT32_MAX / 8)
		work_out_of_memory();
	larger.capacity = 4 * set->capacity;
	larger.mask = 2 * larger.capacity - 1;
	larger.frames = work_alloc_array(larger.capacity, sizeof(*larger.frames));
	larger.slots = work_alloc_array((size_t)2 * larger.capacity, sizeof(*larger.slots));
	memcpy(larger.frames, set->frames, set->count * sizeof(*set->frames));
	for (uint32_t i = 0; i < set->count; i++)
		*slot_of(&larger, larger.frames[i]) = i + 1;
	*set = larger;
}

uint32_t frame_set_add(struct frame_set *set, uintptr_t frame)
{
	uint32_t *slot = slot_of(set, frame);
	if (*slot)
		return *slot - 1;
	if (set->count == set->capacity) {
		grow(set);
		slot = slot_of(set, frame);
	}
	set->frames[set->count++] = frame;
	*slot = set->count;
	return set->count - 1;
}

void frame_set_name(struct frame_set *set)
{
	modules_read(&set->modules);
	set->names = work_alloc_array(set->count, sizeof(*set->names));
	names_find(&set->modules, set->frames, set->count, true, set->names);
}

const struct module *frame_set_module(const struct frame_set *set, uint32_t index)
{
	uintptr_t frame = set->frames[index];
	return frame < PSEUDO_LIMIT ? NULL : modules_find(&set->modules, frame);
}

bool frame_is_wrapper(uintptr_t frame)
{
	return frame >= PSEUDO_LIMIT && unwind_is_own(frame);
}

uint32_t frames_visible(const uintptr_t *frames, uint32_t count, uintptr_t *to)
{
	uint32_t visible = 0, from = 0;
	while (from < count && frame_is_wrapper(frames[from]))
		from++;
	if (from)
		to[visible++] = frames[from - 1];
	for (; from < count; from++) {
		if (!frame_is_wrapper(frames[from]))
			to[visible++] = frames[from];
	}
	return visible;
}
