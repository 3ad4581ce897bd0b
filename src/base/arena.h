/* arena.h - memory that is released all at once.
 *
 * A struct profile owns one arena; everything in the profile lives there and refers to its like by index.
 * Allocation cannot fail (see xalloc.h). Not thread safe: one arena, one owner.
 */
#ifndef CPPROF_BASE_ARENA_H
#define CPPROF_BASE_ARENA_H

#include <stddef.h>

#include "base/str.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* newest first */
	char *next;                 /* where the newest chunk has room */
	size_t left;
};

void arena_init(struct arena *arena);
/* Releases every block. The arena may be used again. */
void arena_release(struct arena *arena);

/* Memory aligned to 16 bytes, not cleared. Blocks of 64 KiB and more get a mapping of their own, so that pages never
 * touched cost nothing. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((returns_nonnull));
/* The same for arrays, with the product checked. */
void *arena_alloc_array(struct arena *arena, size_t count, size_t size) __attribute__((returns_nonnull));
/* A copy of the bytes, followed by a zero byte that is not counted. No alignment. */
struct str arena_copy(struct arena *arena, struct str text);

#endif
