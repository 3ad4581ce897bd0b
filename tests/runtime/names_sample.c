/* Writes what render.h makes of a few stacks of its own, for readers to be compared on (names_reference.py):
 *
 *     names_sample heap|goroutine|heap-text|goroutine-text [HELPER]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collect_fakes.h"
#include "runtime/collect/render.h"
#include "runtime/shared/region.h"
#include "runtime/shared/settings.h"

#define DEPTH 3u

static uintptr_t stacks[3][DEPTH];

static inline __attribute__((always_inline)) uintptr_t here(void)
{
	uintptr_t pc;
	__asm__ volatile("1: leaq 1b(%%rip), %0" : "=r"(pc));
	return pc;
}

static __attribute__((noinline)) void allocates(unsigned which)
{
	__asm__ volatile("nop");
	stacks[which][0] = here();
}

static __attribute__((noinline)) void calls_it(unsigned which)
{
	allocates(which);
	stacks[which][1] = here();
}

/* As qsort calls it: a frame of libc in the middle. */
static int compare(const void *a, const void *b)
{
	(void)a;
	calls_it(2);
	return b == NULL;
}

static void make_stacks(void)
{
	int two[2] = { 1, 2 };
	calls_it(0);
	stacks[0][2] = here();
	allocates(1);
	stacks[1][1] = PSEUDO_TRUNCATED;
	stacks[1][2] = stacks[0][2];
	qsort(two, 2, sizeof(two[0]), compare);
	stacks[2][2] = (uintptr_t)&qsort + 2;
}

struct job {
	bool heap, text, done;
};

static void work(void *arg)
{
	struct job *job = arg;
	struct table_row rows[] = {
		{ stacks[0], DEPTH, 1, 0, { 70, 7000, 50, 5000 }, { 7, 700, 5, 500 }, { { "bytes", NULL, 100, "bytes" } } },
		{ stacks[1], DEPTH, 0, 0, { 9, 900, 0, 0 }, { 3, 300, 0, 0 }, { { NULL, NULL, 0, NULL } } },
		{ stacks[2], DEPTH, 1, 0, { 2, 64, 2, 64 }, { 2, 64, 2, 64 }, { { "bytes", NULL, 32, "bytes" } } },
		{ stacks[0], DEPTH, 1, 0, { 30, 3000, 10, 1000 }, { 3, 300, 1, 100 }, { { "bytes", NULL, 100, "bytes" } } },
	};
	struct table table = {
		.name = job->heap ? "heap" : "goroutine",
		.value_types = { "alloc_objects", "alloc_space", "inuse_objects", "inuse_space" },
		.value_units = { "count", "bytes", "count", "bytes" },
		.value_count = 4,
		.period_type = "space",
		.period_unit = "bytes",
		.period = 512 * 1024,
		.time_ns = 1700000000000000000,
		.rows = rows,
		.row_count = 4,
		.comments = { "a comment" },
		.comment_count = 1,
	};
	if (!job->heap) {
		table.value_types[0] = table.period_type = "goroutine";
		table.period_unit = "count";
		table.value_count = 1;
		table.period = 1;
	}
	struct buffer bytes;
	buffer_init(&bytes, 1 << 24);
	if (job->text)
		render_text(&table, &bytes);
	job->done = (job->text || render_profile(&table, &bytes)) &&
	            write(STDOUT_FILENO, bytes.data, bytes.length) == (ssize_t)bytes.length;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	struct job job = { strncmp(argv[1], "heap", 4) == 0, strstr(argv[1], "-text") != NULL, false };
	settings.helper_off = argc < 3;
	if (argc > 2)
		snprintf(settings.helper, sizeof(settings.helper), "%s", argv[2]);
	make_stacks();
	return work_run(work, &job) && job.done ? 0 : 1;
}
