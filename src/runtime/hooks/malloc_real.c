/* malloc_real.c - finding the real functions, and the arena for those who cannot wait for it.
 */
#include "runtime/hooks/malloc_real.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/hooks/heap_sample.h"
#include "runtime/hooks/operator_new.h"

/* --- the arena ----------------------------------------------------------------------------------------------------- */

#define ARENA_SIZE ((size_t)64 * 1024)
#define HEADER ((size_t)16) /* in front of each block: its size */

static char arena[ARENA_SIZE] __attribute__((aligned(4096)));
static _Atomic size_t arena_used;

static void *bootstrap_alloc(size_t alignment, size_t size)
{
	if (alignment < HEADER)
		alignment = HEADER;
	if (size > ARENA_SIZE || alignment > ARENA_SIZE) {
		errno = ENOMEM;
		return NULL;
	}
	size_t used = atomic_load(&arena_used), start;
	do {
		start = (used + HEADER + alignment - 1) & ~(alignment - 1);
		if (start + size > ARENA_SIZE) {
			errno = ENOMEM;
			return NULL;
		}
	} while (!atomic_compare_exchange_weak(&arena_used, &used, start + size));
	char *block = arena + start;
	memcpy(block - HEADER, &size, sizeof(size));
	live_filter_pin(block);
	return block;
}

bool bootstrap_owns(const void *block)
{
	return (uintptr_t)block - (uintptr_t)arena < ARENA_SIZE;
}

size_t bootstrap_size(const void *block)
{
	size_t size;
	memcpy(&size, (const char *)block - HEADER, sizeof(size));
	return size;
}

/* --- the stubs ----------------------------------------------------------------------------------------------------- */

/* False too where there is no next definition (a static executable): then the stub stays. */
#define FOUND(name) (real_resolve() && real.name != stub_##name)

static void *stub_malloc(size_t size)
{
	return FOUND(malloc) ? real.malloc(size) : bootstrap_alloc(HEADER, size);
}

static void *stub_calloc(size_t count, size_t size)
{
	size_t bytes;
	if (FOUND(calloc))
		return real.calloc(count, size);
	/* Arena blocks are never used twice: they are zero. */
	return bootstrap_alloc(HEADER, __builtin_mul_overflow(count, size, &bytes) ? SIZE_MAX : bytes);
}

/* The hook deals with blocks of the arena, and others cannot exist yet. */
static void *stub_realloc(void *block, size_t size)
{
	return FOUND(realloc) ? real.realloc(block, size) : bootstrap_alloc(HEADER, size);
}

static void stub_free(void *block)
{
	if (FOUND(free))
		real.free(block);
}

static void *stub_memalign(size_t alignment, size_t size)
{
	return FOUND(memalign) ? real.memalign(alignment, size) : bootstrap_alloc(alignment, size);
}

static void *stub_aligned_alloc(size_t alignment, size_t size)
{
	return FOUND(aligned_alloc) ? real.aligned_alloc(alignment, size) : bootstrap_alloc(alignment, size);
}

static int stub_posix_memalign(void **to, size_t alignment, size_t size)
{
	if (FOUND(posix_memalign))
		return real.posix_memalign(to, alignment, size);
	int kept = errno;
	void *block = bootstrap_alloc(alignment, size);
	errno = kept;
	if (!block)
		return ENOMEM;
	*to = block;
	return 0;
}

static void *stub_valloc(size_t size)
{
	return FOUND(valloc) ? real.valloc(size) : bootstrap_alloc(4096, size);
}

static void *stub_pvalloc(size_t size)
{
	return FOUND(pvalloc) ? real.pvalloc(size) : bootstrap_alloc(4096, (size + 4095) & ~(size_t)4095);
}

static size_t stub_malloc_usable_size(void *block)
{
	return FOUND(malloc_usable_size) ? real.malloc_usable_size(block) : 0;
}

struct real_malloc real = {
	.malloc = stub_malloc,
	.calloc = stub_calloc,
	.realloc = stub_realloc,
	.free = stub_free,
	.memalign = stub_memalign,
	.aligned_alloc = stub_aligned_alloc,
	.posix_memalign = stub_posix_memalign,
	.valloc = stub_valloc,
	.pvalloc = stub_pvalloc,
	.malloc_usable_size = stub_malloc_usable_size,
};

/* --- who is behind it ---------------------------------------------------------------------------------------------- */

static enum malloc_owner owner;
static char behind_us[64] = "unknown", in_front[64] = "unknown";

/* NULL: in no loaded file. */
static const struct link_map *module_of(const void *address)
{
	union {
		const void *constant;
		void *plain;
	} where = { address };
	struct dl_find_object found;
	return _dl_find_object(where.plain, &found) == 0 ? found.dlfo_link_map : NULL;
}

bool real_same_module(const void *a, const void *b)
{
	const struct link_map *module = module_of(a);
	return module && module == module_of(b);
}

static void name_allocator(const struct link_map *module, char *to, size_t size)
{
	static const char *const known[][2] = {
		{ "libc.so", "glibc" },     { "jemalloc", "jemalloc" }, { "tcmalloc", "tcmalloc" },
		{ "mimalloc", "mimalloc" }, { "libc-2.", "glibc" },
	};
	const char *path = module ? module->l_name : "";
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	if (!*name)
		name = "the program's own";
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strstr(name, known[i][0]))
			name = known[i][1];
	size_t length = strnlen(name, size - 1);
	memcpy(to, name, length);
	to[length] = '\0';
}

void *(*real_first_malloc)(size_t size);
void (*real_first_free)(void *block);

static bool is_hook(const void *address)
{
	void *(*hook)(size_t) = hook_malloc;
	return memcmp(&address, &hook, sizeof(hook)) == 0;
}

static void find_owner(const void *next)
{
	void *first = dlsym(RTLD_DEFAULT, "malloc"), *first_free = dlsym(RTLD_DEFAULT, "free");
	memcpy(&real_first_malloc, &first, sizeof(first));
	memcpy(&real_first_free, &first_free, sizeof(first_free));
	owner = MALLOC_OURS;
	if (first && !is_hook(first))
		owner = first == next ? MALLOC_TOO_LATE : MALLOC_PROGRAMS;
	name_allocator(module_of(first), in_front, sizeof(in_front));
	name_allocator(module_of(next), behind_us, sizeof(behind_us));
}

enum malloc_owner real_owner(void)
{
	return owner;
}

const char *real_allocator(bool front)
{
	return front ? in_front : behind_us;
}

/* --- finding them -------------------------------------------------------------------------------------------------- */

void *real_next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

/* dlsym gives an object pointer; where there is none the stub stays. */
#define FIND(found, name) \
	do { \
		void *address_ = real_next(#name); \
		if (address_) \
			memcpy(&(found)->name, &address_, sizeof(address_)); \
	} while (0)

struct real_nested real_nested;

static void give_back(const struct real_malloc *found, void *block)
{
	if (!bootstrap_owns(block))
		found->free(block);
}

#define ASK(name, call) \
	static void ask_##name(void *arg) \
	{ \
		const struct real_malloc *found = arg; \
		void *block = NULL; \
		call; \
		give_back(found, block); \
	}
ASK(calloc, block = found->calloc(1, 1))
ASK(realloc, block = found->realloc(NULL, 1))
ASK(memalign, block = found->memalign(64, 1))
ASK(aligned_alloc, block = found->aligned_alloc(64, 64))
ASK(posix_memalign, (void)found->posix_memalign(&block, 64, 1))
ASK(valloc, block = found->valloc(1))
ASK(pvalloc, block = found->pvalloc(1))

/* Found by trying, except for libc's own, which do not, and for functions that the allocator leaves to libc. */
static void find_nested(struct real_malloc *found, const void *next)
{
	const void *function;
	if (strcmp(behind_us, "glibc") == 0)
		return;
#define ASK_IF_THEIRS(name) \
	memcpy(&function, &found->name, sizeof(function)); \
	real_nested.name = real_same_module(function, next) && heap_call_reaches_hooks(ask_##name, found);
	ASK_IF_THEIRS(calloc)
	ASK_IF_THEIRS(realloc)
	ASK_IF_THEIRS(memalign)
	ASK_IF_THEIRS(aligned_alloc)
	ASK_IF_THEIRS(posix_memalign)
	ASK_IF_THEIRS(valloc)
	ASK_IF_THEIRS(pvalloc)
#undef ASK_IF_THEIRS
}

static void find_all(void)
{
	struct real_malloc found = real;
	FIND(&found, malloc);
	FIND(&found, calloc);
	FIND(&found, realloc);
	FIND(&found, free);
	FIND(&found, memalign);
	FIND(&found, aligned_alloc);
	FIND(&found, posix_memalign);
	FIND(&found, valloc);
	FIND(&found, pvalloc);
	FIND(&found, malloc_usable_size);
	void *next;
	memcpy(&next, &found.malloc, sizeof(next));
	find_owner(next);
	find_nested(&found, next);
	operator_new_resolve(next);
	real = found;
}

enum resolve_state { RESOLVE_NOT_YET, RESOLVE_RUNNING, RESOLVE_DONE };
static _Atomic int resolve_state;

bool real_resolve(void)
{
	if (atomic_load_explicit(&resolve_state, memory_order_acquire) == RESOLVE_DONE)
		return true;
	int expected = RESOLVE_NOT_YET;
	if (!atomic_compare_exchange_strong(&resolve_state, &expected, RESOLVE_RUNNING))
		return expected == RESOLVE_DONE;
	int kept = errno;
	find_all();
	errno = kept;
	atomic_store_explicit(&resolve_state, RESOLVE_DONE, memory_order_release);
	return true;
}
