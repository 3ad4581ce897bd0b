/* unwind.c - what a stack costs: ours and libgcc's in turns, in one process.
 *
 * unwind [DEPTH]      prints "NAME FRAMES NS" a line: the median of 31 batches for each unwinder, warm
 *
 * Linked with the runtime's objects, compiled without frame pointers.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unwind.h>

#include "runtime/shared/process.h"
#include "runtime/signal/unwind.h"

#define BATCHES 31
#define STACKS 2000

static uintptr_t found[FRAMES_MAX];
static unsigned found_count;

void process_check_slow(void)
{
}

static _Unwind_Reason_Code note(struct _Unwind_Context *context, void *unused)
{
	(void)unused;
	if (found_count < FRAMES_MAX)
		found[found_count++] = _Unwind_GetIP(context);
	return _URC_NO_REASON;
}

static double now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;
	return (left > right) - (left < right);
}

static double median(double *values)
{
	qsort(values, BATCHES, sizeof(*values), compare);
	return values[BATCHES / 2];
}

static void measure(void)
{
	static double ours[BATCHES], theirs[BATCHES];
	struct unwind_registers here;
	struct frames frames;
	UNWIND_HERE(&here);
	for (int batch = 0; batch < BATCHES; batch++) {
		double start = now_ns();
		for (int i = 0; i < STACKS; i++)
			unwind_self(&here, false, &frames);
		ours[batch] = (now_ns() - start) / STACKS;
		start = now_ns();
		for (int i = 0; i < STACKS / 20; i++) {
			found_count = 0;
			_Unwind_Backtrace(note, NULL);
		}
		theirs[batch] = (now_ns() - start) / (STACKS / 20);
	}
	printf("cpprof %u %.1f\nlibgcc %u %.1f\n", frames.count, median(ours), found_count, median(theirs));
}

static __attribute__((noinline)) int recurse(int depth)
{
	volatile char pad[48];
	pad[0] = 0;
	if (depth)
		return recurse(depth - 1) + pad[0];
	measure();
	return pad[0];
}

int main(int argc, char **argv)
{
	int depth = argc > 1 ? atoi(argv[1]) : 30;
	unwind_init();
	return recurse(depth > 5 ? depth - 5 : 0);
}
