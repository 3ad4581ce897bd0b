/* noop_malloc.c - the floor of interposition: hooks that only forward, for malloc_pair to stand ours beside.
 *
 * cc -O2 -fPIC -shared -o noop_malloc.so noop_malloc.c
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

static void *first_malloc(size_t size);
static void first_free(void *block);
static void *first_calloc(size_t count, size_t size);
static void *first_realloc(void *block, size_t size);

static struct {
	void *(*malloc)(size_t size);
	void (*free)(void *block);
	void *(*calloc)(size_t count, size_t size);
	void *(*realloc)(void *block, size_t size);
} real = { first_malloc, first_free, first_calloc, first_realloc };

static void find(void)
{
	void *found[] = { dlsym(RTLD_NEXT, "malloc"), dlsym(RTLD_NEXT, "free"), dlsym(RTLD_NEXT, "calloc"),
		              dlsym(RTLD_NEXT, "realloc") };
	_Static_assert(sizeof(found) == sizeof(real), "four functions");
	memcpy(&real, found, sizeof(real));
}

static void *first_malloc(size_t size)
{
	find();
	return real.malloc(size);
}

static void first_free(void *block)
{
	find();
	real.free(block);
}

static void *first_calloc(size_t count, size_t size)
{
	find();
	return real.calloc(count, size);
}

static void *first_realloc(void *block, size_t size)
{
	find();
	return real.realloc(block, size);
}

void *malloc(size_t size);
void free(void *block);
void *calloc(size_t count, size_t size);
void *realloc(void *block, size_t size);

void *malloc(size_t size)
{
	return real.malloc(size);
}

void free(void *block)
{
	real.free(block);
}

void *calloc(size_t count, size_t size)
{
	return real.calloc(count, size);
}

void *realloc(void *block, size_t size)
{
	return real.realloc(block, size);
}
