/* region.c - one piece of work at a time, on memory that goes away with it.
 *
 * Small blocks are cut from chunks; large ones have mappings of their own, which grow by mremap and are given back at
 * once when freed. A block is preceded by its size.
 */
#include "runtime/shared/region.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/xalloc.h"
#include "runtime/shared/lock.h"
#include "runtime/shared/losses.h"
#include "runtime/shared/own_libc.h"
#include "runtime/shared/pages.h"
#include "runtime/shared/tls.h"

#define CHUNK_SIZE ((size_t)256 * 1024)
#define LARGE_SIZE ((size_t)64 * 1024)

/* In front of each block; 32 bytes keep it aligned to 16. */
struct header {
	struct header *previous, *next; /* large blocks only */
	size_t size;
	size_t mapped; /* bytes of its own mapping, 0 = in a chunk */
};

struct chunk {
	struct chunk *older;
	size_t used;
};

static struct {
	struct lock lock;
	bool running;
	struct chunk *chunks;
	struct header large; /* ring */
	void *give_up[5];    /* __builtin_setjmp */
} work;

static void release_all(void)
{
	for (struct chunk *chunk = work.chunks; chunk;) {
		struct chunk *older = chunk->older;
		pages_unmap(chunk, CHUNK_SIZE);
		chunk = older;
	}
	work.chunks = NULL;
	for (struct header *block = work.large.next; block && block != &work.large;) {
		struct header *next = block->next;
		pages_unmap(block, block->mapped);
		block = next;
	}
	work.large.next = work.large.previous = &work.large;
}

/* The one function with the jump target: kept apart, since a jump back may spoil the locals of its function. */
static __attribute__((noinline)) bool run_guarded(void (*function)(void *arg), void *arg)
{
	if (__builtin_setjmp(work.give_up))
		return false;
	function(arg);
	return true;
}

bool work_run(void (*function)(void *arg), void *arg)
{
	uint64_t mask;
	/* A handler of the host that jumps away must not find the lock held. */
	sys_block_signals(&mask);
	lock_wait(&work.lock);
	tls.guard++;
	release_all(); /* what a fork left */
	work.running = true;
	bool done = run_guarded(function, arg);
	work.running = false;
	release_all();
	tls.guard--;
	lock_done(&work.lock);
	sys_restore_signals(&mask);
	if (!done)
		loss_count(LOSS_NO_MEMORY);
	return done;
}

void work_forked(void)
{
	lock_reset(&work.lock);
	work.running = false;
}

uint64_t work_longest_ns(void)
{
	return atomic_load_explicit(&work.lock.longest_hold_ns, memory_order_relaxed);
}

static __attribute__((noinline, noreturn)) void jump_back(void)
{
	__builtin_longjmp(work.give_up, 1);
}

_Noreturn void work_out_of_memory(void)
{
	jump_back();
}

static void *large_block(size_t size)
{
	size_t mapped = (size + sizeof(struct header) + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
	struct header *block = mapped > size ? pages_map(mapped) : NULL;
	if (!block)
		work_out_of_memory();
	*block = (struct header){ &work.large, work.large.next, size, mapped };
	block->next->previous = block;
	work.large.next = block;
	return block + 1;
}

void *own_malloc(size_t size)
{
	size_t wanted = ((size + 15) & ~(size_t)15) + sizeof(struct header);
	if (size >= LARGE_SIZE)
		return large_block(size);
	if (!work.chunks || work.chunks->used + wanted > CHUNK_SIZE) {
		struct chunk *chunk = pages_map(CHUNK_SIZE);
		if (!chunk)
			work_out_of_memory();
		chunk->older = work.chunks;
		chunk->used = (sizeof(*chunk) + 15) & ~(size_t)15;
		work.chunks = chunk;
	}
	char *place = (char *)work.chunks + work.chunks->used;
	work.chunks->used += wanted;
	struct header *block = __builtin_assume_aligned(place, 16);
	*block = (struct header){ .size = size };
	return block + 1;
}

/* Fresh pages are zero and blocks of chunks are never used twice. */
void *own_calloc(size_t count, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, size, &bytes))
		work_out_of_memory();
	return own_malloc(bytes);
}

static struct header *header_of(void *block)
{
	return (struct header *)block - 1;
}

static void *grow_large(struct header *block, size_t size)
{
	size_t mapped = (size + sizeof(*block) + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
	if (mapped <= block->mapped) {
		block->size = size;
		return block + 1;
	}
	void *moved = large_block(size);
	memcpy(moved, block + 1, block->size);
	own_free(block + 1);
	return moved;
}

void *own_realloc(void *old, size_t size)
{
	if (!old)
		return own_malloc(size);
	struct header *block = header_of(old);
	if (block->mapped)
		return grow_large(block, size);
	if (size <= ((block->size + 15) & ~(size_t)15)) {
		block->size = size;
		return old;
	}
	void *moved = own_malloc(size);
	memcpy(moved, old, block->size);
	return moved;
}

void own_free(void *old)
{
	if (!old)
		return;
	struct header *block = header_of(old);
	if (!block->mapped)
		return; /* goes with its chunk */
	block->previous->next = block->next;
	block->next->previous = block->previous;
	pages_unmap(block, block->mapped);
}

void *work_alloc(size_t size)
{
	return own_malloc(size);
}

void *work_alloc_array(size_t count, size_t size)
{
	return own_calloc(count, size);
}

/* --- what base/ and profile/ call ---------------------------------------------------------------------------------- */

void *xmalloc(size_t size)
{
	return own_malloc(size);
}

void *xcalloc(size_t count, size_t size)
{
	return own_calloc(count, size);
}

void *xrealloc(void *old, size_t size)
{
	return own_realloc(old, size);
}

void *xreallocarray(void *old, size_t count, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, size, &bytes))
		work_out_of_memory();
	return own_realloc(old, bytes);
}

char *xstrndup(const char *text, size_t length)
{
	char *copy = own_malloc(length + 1);
	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

char *xstrdup(const char *text)
{
	return xstrndup(text, strlen(text));
}

void *xgrow(void *array, size_t count, size_t *capacity, size_t element_size)
{
	if (array && count < *capacity)
		return array;
	size_t wanted = *capacity ? *capacity : 8;
	while (wanted <= count)
		wanted *= 2;
	array = xreallocarray(array, wanted, element_size);
	*capacity = wanted;
	return array;
}
