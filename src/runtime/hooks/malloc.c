/* malloc.c - the malloc family, in front of the program's allocator.
 *
 * Blocks and pointers are the allocator's own. An allocation costs a subtraction and a branch more, a free one load and a
 * branch: both then jump to the real function. Frees are recorded before the block is given back, allocations after it
 * was got, so that no other thread can have the address in between.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/hooks/heap_sample.h"
#include "runtime/hooks/malloc_real.h"

/* Names without a declaration in this libc: gone from it, or not in it yet. */
HEAP_HOOK void cfree(void *block);
HEAP_HOOK void free_sized(void *block, size_t size);
HEAP_HOOK void free_aligned_sized(void *block, size_t alignment, size_t size);

static HEAP_SLOW void *malloc_slow(size_t size)
{
	bool due = heap_due(size);
	void *block = real.malloc(size);
	if (due)
		heap_record(block, size);
	return block;
}

HEAP_HOOK void *malloc(size_t size)
{
	if (heap_countdown(size))
		return malloc_slow(size);
	return real.malloc(size);
}

extern void *hook_malloc(size_t size) __attribute__((alias("malloc"), malloc, alloc_size(1), leaf, nothrow));

static HEAP_SLOW void free_slow(void *block)
{
	if (bootstrap_owns(block))
		return;
	heap_forget(block, NULL);
	real.free(block);
}

HEAP_HOOK void free(void *ptr)
{
	if (HEAP_RARE(live_filter_hit(ptr))) {
		free_slow(ptr);
		return;
	}
	real.free(ptr);
}

HEAP_HOOK void cfree(void *block)
{
	free(block);
}

HEAP_HOOK void free_sized(void *block, size_t size)
{
	(void)size;
	free(block);
}

HEAP_HOOK void free_aligned_sized(void *block, size_t alignment, size_t size)
{
	(void)alignment;
	(void)size;
	free(block);
}

static HEAP_SLOW void *calloc_slow(size_t count, size_t size, size_t bytes)
{
	bool due = heap_due(bytes) && !real_nested.calloc;
	void *block = real.calloc(count, size);
	if (due)
		heap_record(block, bytes);
	return block;
}

HEAP_HOOK void *calloc(size_t nmemb, size_t size)
{
	size_t bytes;
	/* What overflows is the real function's to refuse. */
	if (!__builtin_mul_overflow(nmemb, size, &bytes) && heap_countdown(bytes))
		return calloc_slow(nmemb, size, bytes);
	return real.calloc(nmemb, size);
}

/* A block of the arena moves to the allocator. */
static void *realloc_bootstrap(const void *old, size_t size)
{
	void *block = real.malloc(size);
	size_t old_size = bootstrap_size(old);
	if (block)
		memcpy(block, old, old_size < size ? old_size : size);
	return block;
}

/* In the numbers a realloc is a free of the old block and an allocation of the new one, wherever it lies. */
static HEAP_SLOW void *realloc_slow(void *old, size_t size, bool due)
{
	struct live_sample sample;
	bool sampled = false;
	void *block;
	if (bootstrap_owns(old)) {
		block = realloc_bootstrap(old, size);
	} else {
		sampled = old && heap_forget(old, &sample);
		block = real.realloc(old, size);
	}
	if (!block && sampled && size)
		heap_remember(&sample);
	if (due)
		heap_record(block, size);
	return block;
}

static HEAP_SLOW void *realloc_counted(void *old, size_t size)
{
	return realloc_slow(old, size, heap_due(size) && !real_nested.realloc);
}

HEAP_HOOK void *realloc(void *ptr, size_t size)
{
	if (heap_countdown(size))
		return realloc_counted(ptr, size);
	if (HEAP_RARE(live_filter_hit(ptr)))
		return realloc_slow(ptr, size, false);
	return real.realloc(ptr, size);
}

/* Not forwarded: libc's calls realloc() in turn, which may be ours and would count it again. */
HEAP_HOOK void *reallocarray(void *ptr, size_t nmemb, size_t size)
{
	size_t bytes;
	if (HEAP_RARE(__builtin_mul_overflow(nmemb, size, &bytes))) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(ptr, bytes);
}

static HEAP_SLOW void *aligned_slow(void *(*function)(size_t, size_t), bool nested, size_t alignment, size_t size)
{
	bool due = heap_due(size) && !nested;
	void *block = function(alignment, size);
	if (due)
		heap_record(block, size);
	return block;
}

HEAP_HOOK void *memalign(size_t alignment, size_t size)
{
	if (heap_countdown(size))
		return aligned_slow(real.memalign, real_nested.memalign, alignment, size);
	return real.memalign(alignment, size);
}

HEAP_HOOK void *aligned_alloc(size_t alignment, size_t size)
{
	if (heap_countdown(size))
		return aligned_slow(real.aligned_alloc, real_nested.aligned_alloc, alignment, size);
	return real.aligned_alloc(alignment, size);
}

static HEAP_SLOW int posix_memalign_slow(void **to, size_t alignment, size_t size)
{
	bool due = heap_due(size) && !real_nested.posix_memalign;
	int error = real.posix_memalign(to, alignment, size);
	if (due && error == 0)
		heap_record(*to, size);
	return error;
}

HEAP_HOOK int posix_memalign(void **memptr, size_t alignment, size_t size)
{
	if (heap_countdown(size))
		return posix_memalign_slow(memptr, alignment, size);
	return real.posix_memalign(memptr, alignment, size);
}

static HEAP_SLOW void *pages_slow(void *(*function)(size_t), bool nested, size_t size)
{
	bool due = heap_due(size) && !nested;
	void *block = function(size);
	if (due)
		heap_record(block, size);
	return block;
}

HEAP_HOOK void *valloc(size_t size)
{
	if (heap_countdown(size))
		return pages_slow(real.valloc, real_nested.valloc, size);
	return real.valloc(size);
}

HEAP_HOOK void *pvalloc(size_t size)
{
	if (heap_countdown(size))
		return pages_slow(real.pvalloc, real_nested.pvalloc, size);
	return real.pvalloc(size);
}

HEAP_HOOK size_t malloc_usable_size(void *ptr)
{
	if (HEAP_RARE(bootstrap_owns(ptr)))
		return bootstrap_size(ptr);
	return real.malloc_usable_size(ptr);
}
