/* malloc_pair.c - what a tight malloc + free pair of 16 to 256 bytes costs: plain, behind hooks that do nothing, and under
 * libcpprof with its default rate and with the heap switched off.
 *
 * cc -O2 -o malloc_pair malloc_pair.c
 * malloc_pair NOOP.so LIBCPPROF.so [ROUNDS]
 *
 * Each round runs every variant once, in a process of its own, in an order that turns. Where the linker and the kernel put
 * things makes two modes some 10 % apart, so the figures are medians over the rounds, and the differences are medians of
 * the differences within a round. CPU time of the thread, so that a busy machine disturbs less.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAIRS 4000000
#define ROUNDS_MAX 200

static double cpu_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* In the child: ns per pair, as a double, to standard output. */
static int measure(void)
{
	static uint16_t sizes[4096];
	uint64_t random = 12345;
	for (int i = 0; i < 4096; i++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		sizes[i] = (uint16_t)(16 + (random >> 33) % 241);
	}
	double start = cpu_ns();
	for (int i = 0; i < PAIRS; i++) {
		volatile char *block = malloc(sizes[i & 4095]);
		if (!block)
			return 1;
		*block = 1;
		free((void *)block);
	}
	double ns = (cpu_ns() - start) / PAIRS;
	return write(STDOUT_FILENO, &ns, sizeof(ns)) == (ssize_t)sizeof(ns) ? 0 : 1;
}

struct variant {
	const char *name, *preload, *setting;
	double ns[ROUNDS_MAX];
};

static double run(const char *self, const struct variant *variant)
{
	int ends[2];
	if (pipe(ends))
		exit(1);
	pid_t child = fork();
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		if (variant->preload)
			setenv("LD_PRELOAD", variant->preload, 1);
		if (variant->setting)
			putenv(strdup(variant->setting));
		execl(self, self, "--measure", (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	double ns = 0;
	ssize_t got = read(ends[0], &ns, sizeof(ns));
	close(ends[0]);
	int status;
	if (waitpid(child, &status, 0) != child || status || got != (ssize_t)sizeof(ns)) {
		fprintf(stderr, "malloc_pair: %s failed\n", variant->name);
		exit(1);
	}
	return ns;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median_of(const double *values, int count, double *ret_least)
{
	double sorted[ROUNDS_MAX];
	memcpy(sorted, values, (size_t)count * sizeof(*values));
	qsort(sorted, (size_t)count, sizeof(*values), by_value);
	*ret_least = sorted[0];
	return sorted[count / 2];
}

static double median_over(const struct variant *a, const struct variant *b, int rounds)
{
	double differences[ROUNDS_MAX], least;
	for (int i = 0; i < rounds; i++)
		differences[i] = a->ns[i] - b->ns[i];
	return median_of(differences, rounds, &least);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--measure") == 0)
		return measure();
	if (argc < 3) {
		fprintf(stderr, "usage: malloc_pair NOOP.so LIBCPPROF.so [ROUNDS]\n");
		return 2;
	}
	int rounds = argc > 3 ? atoi(argv[3]) : 15;
	if (rounds < 1 || rounds > ROUNDS_MAX)
		rounds = 15;
	static struct variant variants[] = {
		{ .name = "plain" },
		{ .name = "hooks that do nothing" },
		{ .name = "libcpprof" },
		{ .name = "libcpprof, heap off", .setting = "CPPROF_DISABLE=heap" },
	};
	enum { COUNT = sizeof(variants) / sizeof(variants[0]) };
	variants[1].preload = argv[1];
	variants[2].preload = variants[3].preload = argv[2];
	for (int round = 0; round < rounds; round++)
		for (int i = 0; i < COUNT; i++) {
			struct variant *variant = &variants[(i + round) % COUNT];
			variant->ns[round] = run(argv[0], variant);
		}
	printf("malloc + free, 16-256 bytes, ns per pair: median of %d rounds (least)\n", rounds);
	for (int i = 0; i < COUNT; i++) {
		double least;
		double over_nothing = median_over(&variants[i], &variants[1], rounds);
		double over_plain = median_over(&variants[i], &variants[0], rounds);
		double median = median_of(variants[i].ns, rounds, &least);
		printf("  %-24s %6.2f (%6.2f)  %+.2f over doing nothing, %+.2f over plain\n", variants[i].name, median, least,
		       over_nothing, over_plain);
	}
	return 0;
}
