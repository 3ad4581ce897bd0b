/* malloc_family [without pvalloc] - what each function of the malloc family answers to ordinary and odd arguments, and to errno, as text that must
 * not depend on who stands in front of libc. */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile size_t huge = SIZE_MAX / 2 + 1, most = SIZE_MAX, nothing = 0;
static int with_pvalloc;
static FILE *out;

static void tell(const char *what, const void *block, size_t alignment)
{
	fprintf(out, "%s: %s, aligned %d, errno %d\n", what, block ? "block" : "null", (uintptr_t)block % alignment == 0,
	        errno);
	errno = 77;
}

static void refusals(void)
{
	errno = 77;
	tell("malloc of half of memory", malloc(huge), 1);
	tell("malloc of all memory", malloc(most), 1);
	tell("calloc whose product overflows", calloc(huge, 3), 1);
	tell("calloc of half of memory", calloc(1, huge), 1);
	tell("realloc of nothing to half of memory", realloc(NULL, huge), 1);
	tell("reallocarray whose product overflows", reallocarray(NULL, huge, 2), 1);
	tell("memalign of half of memory", memalign(64, huge), 1);
	tell("aligned_alloc of half of memory", aligned_alloc(64, huge), 1);
	tell("valloc of half of memory", valloc(huge), 1);
	tell("pvalloc of all memory", pvalloc(most), 1);
	char mark;
	void *untouched = &mark;
	int error = posix_memalign(&untouched, 3, 100);
	fprintf(out, "posix_memalign, alignment 3: %d, untouched %d, errno %d\n", error, untouched == (void *)&mark, errno);
	error = posix_memalign(&untouched, 64, huge);
	fprintf(out, "posix_memalign of half of memory: %d, untouched %d, errno %d\n", error, untouched == (void *)&mark,
	        errno);
}

static void successes(void)
{
	void *block;
	errno = 77;
	free(NULL);
	tell("free of nothing", NULL, 1);
	tell("malloc(0)", block = malloc(nothing), 1);
	free(block);
	tell("malloc(100)", block = malloc(100), 16);
	fprintf(out, "usable %d\n", malloc_usable_size(block) >= 100 && malloc_usable_size(block) < 200);
	free(block);
	fprintf(out, "usable of nothing %zu\n", malloc_usable_size(NULL));
	char *zeros = calloc(100, 10);
	tell("calloc", zeros, 16);
	int sum = 0;
	for (int i = 0; i < 1000; i++)
		sum |= zeros[i];
	fprintf(out, "zero %d\n", sum == 0);
	free(zeros);
	for (size_t alignment = 16; alignment <= 65536; alignment *= 8) {
		tell("memalign", block = memalign(alignment, 300), alignment);
		free(block);
		tell("aligned_alloc", block = aligned_alloc(alignment, alignment * 2), alignment);
		free(block);
		int error = posix_memalign(&block, alignment, 300);
		fprintf(out, "posix_memalign %d\n", error);
		tell("posix_memalign", block, alignment);
		free(block);
	}
	tell("valloc", block = valloc(100), 4096);
	free(block);
	if (with_pvalloc) {
		tell("pvalloc", block = pvalloc(100), 4096);
		free(block);
	}
}

static void reallocs(void)
{
	errno = 77;
	char *block = realloc(NULL, 50);
	tell("realloc of nothing", block, 16);
	memcpy(block, "what was there", sizeof("what was there"));
	for (size_t size = 100; size < 5000000; size *= 3) {
		block = realloc(block, size);
		fprintf(out, "after growth to %zu: %s\n", size, block);
	}
	if (realloc(block, huge))
		abort();
	tell("realloc that fails", NULL, 1);
	fprintf(out, "after that: %s\n", block);
	block = reallocarray(block, 3, 10);
	tell("reallocarray", block, 16);
	fprintf(out, "after shrinking: %.14s\n", block);
	if (reallocarray(block, huge, 4))
		abort();
	tell("reallocarray that overflows", NULL, 1);
	fprintf(out, "after that: %.14s\n", block);
	tell("realloc to nothing", realloc(block, 0), 1);
}

int main(int argc, char **argv)
{
	(void)argv;
	with_pvalloc = argc == 1; /* some allocators leave it to libc, and then cannot free its blocks */
	/* What an allocator does at its first calls, to errno too, is not asked. */
	out = fopen("/dev/null", "w");
	for (int round = 0; out && round < 3; round++) {
		refusals();
		successes();
		reallocs();
		out = stdout;
	}
	return 0;
}
