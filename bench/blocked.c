/* blocked.c - a process with many blocked threads, for others to look at, and one that notices when they do.
 *
 *     blocked [THREADS]
 *
 * Starts THREADS (1,000) threads that block in six ways, up to a dozen calls deep below blocked_thread(), and prints "ready".
 * At the first line on standard input it starts one more, which does nothing but read the clock. For each line it prints
 * "gaps P L": the 99.9th percentile and the longest of the gaps between two readings since the line before, in
 * microseconds. Ends with its input.
 *
 * Not here: who looks (runtime.py), and what a dump costs without HTTP (threads_dump.c).
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define STACK_SIZE ((size_t)128 * 1024)
#define DEEPEST 12
#define KINDS 6
#define READ_EVERY_US 10
#define GAP_LIMIT_US 200000 /* larger ones are counted as this */

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER, condition_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static sem_t empty;
static int silent_pipe[2], epoll_fd;
static atomic_int begun;

static void wait_for_ever(int kind)
{
	char byte;
	struct pollfd fd = { .fd = silent_pipe[0], .events = POLLIN };
	struct epoll_event event;
	switch (kind) {
	case 0:
		pthread_mutex_lock(&held);
		break;
	case 1:
		pthread_mutex_lock(&condition_mutex);
		pthread_cond_wait(&never, &condition_mutex);
		break;
	case 2:
		sem_wait(&empty);
		break;
	case 3:
		poll(&fd, 1, -1);
		break;
	case 4:
		epoll_wait(epoll_fd, &event, 1, -1);
		break;
	default:
		(void)!read(silent_pipe[0], &byte, 1);
		break;
	}
}

/* Calls itself through a pointer that the compiler cannot see through, so that each level has a frame. */
static void deeper(int depth, int kind);
static void (*volatile next_level)(int, int) = deeper;

static __attribute__((noinline)) void deeper(int depth, int kind)
{
	volatile char used[48];
	used[0] = (char)depth;
	if (depth > 0)
		next_level(depth - 1, kind);
	else
		wait_for_ever(kind);
	(void)used[0];
}

static void *blocked_thread(void *argument)
{
	int number = (int)(intptr_t)argument;
	atomic_fetch_add(&begun, 1);
	deeper(number % DEEPEST, number / DEEPEST % KINDS);
	return NULL;
}

static void start(void *(*routine)(void *), intptr_t argument)
{
	pthread_attr_t attributes;
	pthread_t thread;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	if (pthread_create(&thread, &attributes, routine, (void *)argument) != 0) {
		fputs("blocked: so many threads cannot be made here\n", stderr);
		exit(77);
	}
	pthread_attr_destroy(&attributes);
}

/* --- the watching thread ---------------------------------------------------------------------------------------------- */

static _Atomic uint32_t gaps[GAP_LIMIT_US + 1]; /* how many gaps took so many microseconds */

static uint64_t now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void *watch(void *unused)
{
	uint64_t last = now_us();
	for (;;) {
		uint64_t now = now_us(), gap = now - last;
		if (gap < READ_EVERY_US)
			continue;
		atomic_fetch_add_explicit(&gaps[gap < GAP_LIMIT_US ? gap : GAP_LIMIT_US], 1, memory_order_relaxed);
		last = now;
	}
	return unused;
}

static void report_gaps(void)
{
	static uint32_t counts[GAP_LIMIT_US + 1];
	uint64_t total = 0, seen = 0;
	uint32_t longest = 0, percentile = 0;
	for (uint32_t us = 0; us <= GAP_LIMIT_US; us++) {
		counts[us] = atomic_exchange_explicit(&gaps[us], 0, memory_order_relaxed);
		total += counts[us];
		if (counts[us])
			longest = us;
	}
	while (percentile < GAP_LIMIT_US && (seen += counts[percentile]) * 1000 < total * 999)
		percentile++;
	printf("gaps %u %u\n", percentile, longest);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 1000;
	char line[16];
	if (pipe(silent_pipe) < 0 || (epoll_fd = epoll_create1(0)) < 0)
		return 1;
	sem_init(&empty, 0, 0);
	pthread_mutex_lock(&held);
	for (int i = 0; i < count; i++)
		start(blocked_thread, i);
	while (atomic_load(&begun) < count)
		usleep(1000);
	usleep(200000);
	bool watching = false;
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (!watching)
			start(watch, 0);
		watching = true;
		report_gaps();
	}
	return 0;
}
