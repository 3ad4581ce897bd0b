/* arena.c - chunked bump allocation. */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/xalloc.h"

#define CHUNK_SIZE ((size_t)64 * 1024)
#define ALIGNMENT ((size_t)16)

struct arena_chunk {
	struct arena_chunk *older;
	_Alignas(16) char bytes[];
};

void arena_init(struct arena *arena)
{
	*arena = (struct arena){ 0 };
}

void arena_release(struct arena *arena)
{
	struct arena_chunk *chunk = arena->chunks;
	while (chunk) {
		struct arena_chunk *older = chunk->older;
		free(chunk);
		chunk = older;
	}
	arena_init(arena);
}

static struct arena_chunk *chunk_new(size_t size)
{
	return xmalloc(sizeof(struct arena_chunk) + size);
}

/* A block too large to share a chunk: listed behind the newest chunk, which goes on serving small blocks. */
static void *alloc_large(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk = chunk_new(size);
	if (arena->chunks) {
		chunk->older = arena->chunks->older;
		arena->chunks->older = chunk;
	} else {
		chunk->older = NULL;
		arena->chunks = chunk;
	}
	return chunk->bytes;
}

static void *alloc_bytes(struct arena *arena, size_t size, size_t skip)
{
	if (size >= CHUNK_SIZE)
		return alloc_large(arena, size);
	if (arena->left < size + skip) {
		struct arena_chunk *chunk = chunk_new(CHUNK_SIZE);
		chunk->older = arena->chunks;
		arena->chunks = chunk;
		arena->next = chunk->bytes;
		arena->left = CHUNK_SIZE;
		skip = 0;
	}
	char *block = arena->next + skip;
	arena->next += size + skip;
	arena->left -= size + skip;
	return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	if (size == 0)
		size = 1; /* a pointer that is valid and its own */
	size_t misaligned = (size_t)((uintptr_t)arena->next % ALIGNMENT);
	return alloc_bytes(arena, size, misaligned ? ALIGNMENT - misaligned : 0);
}

void *arena_alloc_array(struct arena *arena, size_t count, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, size, &bytes))
		bytes = SIZE_MAX - 4096; /* more than any machine has: xmalloc says so */
	return arena_alloc(arena, bytes);
}

struct str arena_copy(struct arena *arena, struct str text)
{
	char *copy = alloc_bytes(arena, text.length + 1, 0);
	memcpy(copy, text.data, text.length);
	copy[text.length] = '\0';
	return (struct str){ copy, text.length };
}
