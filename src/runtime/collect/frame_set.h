/* frame_set.h - the distinct frames of a table or dump, and what they are called. Memory of the work in progress.
 */
#ifndef CPPROF_RUNTIME_COLLECT_FRAME_SET_H
#define CPPROF_RUNTIME_COLLECT_FRAME_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/collect/names.h"

struct frame_set {
	uintptr_t *frames; /* in the order of first use */
	uint32_t count, capacity;
	uint32_t *slots; /* index + 1; 0 = empty */
	uint32_t mask;
	struct module_list modules;
	struct name *names; /* of `frames` */
};

void frame_set_init(struct frame_set *set);
/* The index of the frame, added if it is new. */
uint32_t frame_set_add(struct frame_set *set, uintptr_t frame);
/* Reads the modules and names every frame; nothing may be added afterwards. */
void frame_set_name(struct frame_set *set);
/* The module that the frame lies in, or NULL. */
const struct module *frame_set_module(const struct frame_set *set, uint32_t index);

/* Whether the frame is a wrapper of ours, to be shown as the function of libc that it stands for: its name without our source. */
bool frame_is_wrapper(uintptr_t frame);
/* The frames of a stack that readers shall see, into `to` (room for `count`), leaf first; returns how many. Of our own frames only
 * the wrapper that the host called stays, at the leaf: it stands for the function of libc of its name. */
uint32_t frames_visible(const uintptr_t *frames, uint32_t count, uintptr_t *to);

#endif
