/* heap_truth OUTPUT - allocates what is known beforehand, from functions of its own, frees some of it elsewhere, writes the
 * heap profile to OUTPUT and prints for each function what is true: name, blocks and bytes allocated, blocks and bytes
 * in use.
 *
 * cpprof_write() is looked up by name: without libcpprof the program only prints.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SMALL 200000
#define MIXED 60000
#define LARGE 400
#define RESIZED 30000
#define ZERO 2000

struct truth {
	const char *name;
	long allocs, alloc_bytes, frees, freed_bytes;
};

static struct truth small = { .name = "alloc_small" }, mixed = { .name = "alloc_mixed" },
					large = { .name = "alloc_large" }, resized = { .name = "alloc_resized" },
					smaller = { .name = "shrink" }, larger = { .name = "grow" }, zero = { .name = "alloc_zero" };
static void *small_blocks[SMALL], *mixed_blocks[MIXED], *large_blocks[LARGE], *resized_blocks[RESIZED],
		*zero_blocks[ZERO];

static void count(struct truth *truth, size_t size)
{
	truth->allocs++;
	truth->alloc_bytes += (long)size;
}

static void count_free(struct truth *truth, size_t size)
{
	truth->frees++;
	truth->freed_bytes += (long)size;
}

static size_t mixed_size(int i)
{
	return 1 + (size_t)i * 7919 % 5000;
}

static size_t large_size(int i)
{
	return 50000 + (size_t)i * 104729 % 2000000;
}

/* `*to = ...` after the call keeps the compiler from making a jump of it. */
__attribute__((noinline)) static void alloc_small(void **to)
{
	*to = malloc(24);
	count(&small, 24);
}

__attribute__((noinline)) static void alloc_mixed(void **to, size_t size)
{
	*to = calloc(1, size);
	count(&mixed, size);
}

__attribute__((noinline)) static void alloc_large(void **to, size_t size)
{
	void *block = NULL;
	if (posix_memalign(&block, 64, size))
		abort();
	*to = block;
	count(&large, size);
}

__attribute__((noinline)) static void alloc_resized(void **to)
{
	*to = malloc(1000);
	count(&resized, 1000);
}

__attribute__((noinline)) static void grow(void **block)
{
	*block = realloc(*block, 3000);
	count(&larger, 3000);
	count_free(&resized, 1000);
}

__attribute__((noinline)) static void shrink(void **block)
{
	*block = reallocarray(*block, 10, 20);
	count(&smaller, 200);
	count_free(&resized, 1000);
}

__attribute__((noinline)) static void alloc_zero(void **to, size_t nothing)
{
	*to = malloc(nothing);
	count(&zero, nothing);
}

/* In another thread: half of the small blocks, a third of the mixed ones, every other large one. */
static void *free_elsewhere(void *arg)
{
	(void)arg;
	for (int i = 0; i < SMALL; i += 2) {
		free(small_blocks[i]);
		count_free(&small, 24);
	}
	for (int i = 0; i < MIXED; i += 3) {
		free(mixed_blocks[i]);
		count_free(&mixed, mixed_size(i));
	}
	for (int i = 0; i < LARGE; i += 2) {
		free(large_blocks[i]);
		count_free(&large, large_size(i));
	}
	return NULL;
}

static void print(const struct truth *truth)
{
	printf("%s %ld %ld %ld %ld\n", truth->name, truth->allocs, truth->alloc_bytes, truth->allocs - truth->frees,
	       truth->alloc_bytes - truth->freed_bytes);
}

int main(int argc, char **argv)
{
	for (int i = 0; i < SMALL; i++)
		alloc_small(&small_blocks[i]);
	for (int i = 0; i < MIXED; i++)
		alloc_mixed(&mixed_blocks[i], mixed_size(i));
	for (int i = 0; i < LARGE; i++)
		alloc_large(&large_blocks[i], large_size(i));
	for (int i = 0; i < RESIZED; i++)
		alloc_resized(&resized_blocks[i]);
	for (int i = 0; i < RESIZED; i += 3)
		grow(&resized_blocks[i]);
	for (int i = 1; i < RESIZED; i += 3)
		shrink(&resized_blocks[i]);
	for (int i = 0; i < ZERO; i++)
		alloc_zero(&zero_blocks[i], (size_t)(argc > 1000));
	pthread_t thread;
	if (pthread_create(&thread, NULL, free_elsewhere, NULL))
		return 1;
	pthread_join(thread, NULL);

	void *address = dlsym(RTLD_DEFAULT, "cpprof_write");
	if (address && argc > 1) {
		int (*profile_write)(const char *, int, int);
		memcpy(&profile_write, &address, sizeof(address));
		int fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0600);
		if (fd < 0 || profile_write("heap", fd, 0))
			return 1;
		close(fd);
	}
	struct truth *all[] = { &small, &mixed, &large, &resized, &larger, &smaller, &zero };
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		print(all[i]);
	return 0;
}
