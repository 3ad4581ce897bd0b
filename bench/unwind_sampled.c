/* unwind_sampled.c - preloaded: what a stack costs, taken at random instructions of a real program.
 *
 * LD_PRELOAD=unwind_sampled.so program...      at its end writes "PROGRAM SAMPLES COMPLETE FRAMES P50 P99" to the file that
 * UNWIND_SAMPLED names: nanoseconds, medians, and the share of stacks that reached their root, in per cent
 *
 * Linked with the unwinder's objects alone. The signal is a timer's, 1,000 a second of CPU time.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "runtime/shared/process.h"
#include "runtime/signal/unwind.h"

#define SAMPLES_MAX 100000

static unsigned cost[SAMPLES_MAX];
static unsigned short depth[SAMPLES_MAX];
static volatile int taken, complete;
static pid_t owner;

void process_check_slow(void)
{
}

static long long now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void take(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	struct frames frames;
	int at = taken;
	if (at >= SAMPLES_MAX || getpid() != owner)
		return;
	long long start = now_ns();
	unwind_context(context, &frames);
	cost[at] = (unsigned)(now_ns() - start);
	depth[at] = (unsigned short)frames.count;
	complete = complete + !frames.failed;
	taken = at + 1;
}

static int compare(const void *a, const void *b)
{
	return (*(const unsigned *)a > *(const unsigned *)b) - (*(const unsigned *)a < *(const unsigned *)b);
}

static __attribute__((destructor)) void report(void)
{
	int count = taken;
	const char *path = getenv("UNWIND_SAMPLED");
	signal(SIGPROF, SIG_IGN);
	if (!count || !path || getpid() != owner)
		return;
	long frames = 0;
	for (int i = 0; i < count; i++)
		frames += depth[i];
	qsort(cost, (size_t)count, sizeof(cost[0]), compare);
	FILE *file = fopen(path, "a");
	if (!file)
		return;
	fprintf(file, "%s %d %.2f %.1f %u %u\n", program_invocation_short_name, count, 100.0 * complete / count,
	        (double)frames / count, cost[count / 2], cost[count * 99 / 100]);
	fclose(file);
}

static __attribute__((constructor)) void begin(void)
{
	unwind_init();
	owner = getpid();
	struct sigaction action = { .sa_sigaction = take, .sa_flags = SA_SIGINFO | SA_RESTART };
	sigaction(SIGPROF, &action, NULL);
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGPROF };
	timer_t timer;
	struct itimerspec time = { { 0, 1000000 }, { 0, 1000000 } };
	if (timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer) == 0)
		timer_settime(timer, 0, &time, NULL);
}
