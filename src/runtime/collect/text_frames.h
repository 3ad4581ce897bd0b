/* text_frames.h - what the debug=1 texts have in common: stacks as addresses for readers and as lines for people. Inside work_run.
 */
#ifndef CPPROF_RUNTIME_COLLECT_TEXT_FRAMES_H
#define CPPROF_RUNTIME_COLLECT_TEXT_FRAMES_H

#include "base/buffer.h"
#include "runtime/collect/frame_set.h"
#include "runtime/collect/table.h"

/* A row's stack, as far as readers shall see it. */
struct text_stack {
	uintptr_t *frames;
	uint32_t *indices; /* into the set */
	uint32_t count;
};

/* The stacks of the table's rows, their frames added to the set, which the caller then names. */
struct text_stack *text_stacks_add(const struct table *table, struct frame_set *set);

/* " 0x..." for each frame, the return address as readers expect it, and the end of the line. Pseudo frames have no address; a row without
 * any would not be read. */
void text_append_addresses(struct buffer *to, const struct text_stack *stack);
/* The "#" lines that say what the addresses are. */
void text_append_frames(struct buffer *to, const struct frame_set *set, const struct text_stack *stack);
/* "# labels: {...}", sorted by key; nothing if there are none. */
void text_append_labels(struct buffer *to, const struct table_row *row);
void text_append_comments(struct buffer *to, const struct table *table);
/* The loaded code as lines of /proc/self/maps. */
void text_append_modules(struct buffer *to, const struct module_list *list);

#endif
