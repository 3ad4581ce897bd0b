/* malloc_real.h - the allocator behind the hooks: the next definitions after ours, found once, at the first call.
 *
 * Until they are known each pointer leads to a stub that finds them all, so the hooks test nothing. Calls that come in
 * while they are being looked for (the dynamic linker allocates too) are answered from a small arena whose blocks are
 * recognised for ever; live_filter says yes for each of them.
 */
#ifndef CPPROF_RUNTIME_HOOKS_MALLOC_REAL_H
#define CPPROF_RUNTIME_HOOKS_MALLOC_REAL_H

#include <stdbool.h>
#include <stddef.h>

struct real_malloc {
	void *(*malloc)(size_t size);
	void *(*calloc)(size_t count, size_t size);
	void *(*realloc)(void *block, size_t size);
	void (*free)(void *block);
	void *(*memalign)(size_t alignment, size_t size);
	void *(*aligned_alloc)(size_t alignment, size_t size);
	int (*posix_memalign)(void **to, size_t alignment, size_t size);
	void *(*valloc)(size_t size);
	void *(*pvalloc)(size_t size);
	size_t (*malloc_usable_size)(void *block);
};
extern struct real_malloc real __attribute__((visibility("hidden")));

/* Which of them turn to the public malloc for their memory, as simple allocators' do: the block is counted there, and
 * must not be once more. */
struct real_nested {
	bool calloc, realloc, memalign, aligned_alloc, posix_memalign, valloc, pvalloc;
};
extern struct real_nested real_nested __attribute__((visibility("hidden")));

enum malloc_owner {
	MALLOC_OURS,     /* the program's calls reach the hooks */
	MALLOC_PROGRAMS, /* the executable, or a library in front of us, has a malloc that may lead to ours or not */
	MALLOC_TOO_LATE, /* the library was loaded when malloc had been bound already */
};

/* Finds the real functions, unless that has been done; false while it is being done (by this thread, further up, or by
 * another). */
bool real_resolve(void);
/* What the program's own calls of malloc and free reach: the first definitions in the order of the dynamic linker. After
 * real_resolve(). */
extern void *(*real_first_malloc)(size_t size);
extern void (*real_first_free)(void *block);
/* Whom the program's calls of malloc reach. After real_resolve(). Any thread. */
enum malloc_owner real_owner(void);
/* The implementation behind our hooks, or the one that the program's own calls reach first: "glibc", "jemalloc", else the
 * name of its file. */
const char *real_allocator(bool front);

/* The next definition after ours of any function, NULL if there is none. Only while real_resolve() runs. */
void *real_next(const char *name);
/* True if both addresses are in the same loaded file. No lock. */
bool real_same_module(const void *a, const void *b);

/* Our own malloc, whatever the name is bound to (malloc.c). */
extern void *hook_malloc(size_t size) __attribute__((visibility("hidden")));

/* A block of the arena. */
bool bootstrap_owns(const void *block);
size_t bootstrap_size(const void *block);

#endif
