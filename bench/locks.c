/* locks.c - what locks and threads cost, in a process that has a second thread of glibc's from the start. Prints "NAME\tNS" a line: the
 * median over batches.
 *
 *     locks
 *
 * Not here: calls that wait for other things (waits.c, calls.c), and who compares (runtime_waits.py).
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define BATCHES 9

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static uint64_t guarded, counters[512];
static pthread_barrier_t begin;
static sem_t never;

static double clock_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void empty_pair(int times)
{
	for (int i = 0; i < times; i++) {
		pthread_mutex_lock(&mutex);
		pthread_mutex_unlock(&mutex);
	}
}

/* What is mostly done under a lock, some 13 ns of it: a few entries of a table are looked up and changed. */
static inline void count_up(uint64_t key)
{
	for (uint64_t i = 1; i <= 32; i++)
		counters[(key * 0x9E3779B97F4A7C15u * i) >> 55] += i;
}

static void with_work(int times)
{
	for (int i = 0; i < times; i++) {
		pthread_mutex_lock(&mutex);
		count_up((uint64_t)i);
		pthread_mutex_unlock(&mutex);
	}
}

static void work_alone(int times)
{
	for (int i = 0; i < times; i++) {
		count_up((uint64_t)i);
		__asm__ volatile("" ::: "memory");
	}
}

/* Of which each step needs the one before: so long a chain that the processor has the pair's own work done beside it, for nothing. */
static void with_chain(int times)
{
	for (int i = 0; i < times; i++) {
		pthread_mutex_lock(&mutex);
		for (int step = 0; step < 12; step++)
			guarded = guarded * 6364136223846793005u + (guarded >> 17) + 1;
		pthread_mutex_unlock(&mutex);
	}
}

static void *fighter(void *argument)
{
	int times = *(const int *)argument;
	pthread_barrier_wait(&begin);
	for (int i = 0; i < times; i++) {
		pthread_mutex_lock(&mutex);
		guarded++;
		pthread_mutex_unlock(&mutex);
		for (volatile int pause = 0; pause < 10; pause++)
			;
	}
	return NULL;
}

static pthread_t started(void *(*routine)(void *), void *argument)
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, routine, argument) != 0) {
		fputs("locks: no thread\n", stderr);
		exit(1);
	}
	return thread;
}

/* `times` each. */
static void fight(int times)
{
	pthread_t other = started(fighter, &times);
	fighter(&times);
	pthread_join(other, NULL);
}

static void *nothing(void *unused)
{
	return unused;
}

static void create_and_join(int times)
{
	for (int i = 0; i < times; i++)
		pthread_join(started(nothing, NULL), NULL);
}

/* Where the thread starts at once, and none is woken on another processor. */
static void create_and_join_here(int times)
{
	cpu_set_t all, one;
	int first = 0;
	if (sched_getaffinity(0, sizeof(all), &all) != 0)
		exit(1);
	while (!CPU_ISSET(first, &all))
		first++;
	CPU_ZERO(&one);
	CPU_SET(first, &one);
	sched_setaffinity(0, sizeof(one), &one);
	create_and_join(times);
	sched_setaffinity(0, sizeof(all), &all);
}

static void *sleeper(void *unused)
{
	sem_wait(&never);
	return unused;
}

static const struct {
	const char *name;
	void (*run)(int times);
	int times, threads;
	clockid_t clock; /* by wall clock where threads wait for each other on several processors */
} jobs[] = {
	{ "lock + unlock, nothing inside", empty_pair, 2000000, 1, CLOCK_THREAD_CPUTIME_ID },
	{ "lock + unlock, some work inside", with_work, 1000000, 1, CLOCK_THREAD_CPUTIME_ID },
	{ "a chain of multiplications inside", with_chain, 1000000, 1, CLOCK_THREAD_CPUTIME_ID },
	{ "the work alone", work_alone, 1000000, 1, CLOCK_THREAD_CPUTIME_ID },
	{ "two threads fight for one lock", fight, 1000000, 2, CLOCK_MONOTONIC },
	{ "pthread_create + join", create_and_join, 1000, 1, CLOCK_MONOTONIC },
	{ "pthread_create + join, one processor", create_and_join_here, 1000, 1, CLOCK_PROCESS_CPUTIME_ID },
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(void)
{
	if (sem_init(&never, 0, 0) != 0 || pthread_barrier_init(&begin, NULL, 2) != 0)
		return 1;
	started(sleeper, NULL);
	usleep(1000);
	for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
		double ns[BATCHES];
		jobs[i].run(jobs[i].times / 10);
		for (int batch = 0; batch < BATCHES; batch++) {
			double start = clock_ns(jobs[i].clock);
			jobs[i].run(jobs[i].times);
			ns[batch] = (clock_ns(jobs[i].clock) - start) / jobs[i].times / jobs[i].threads;
		}
		qsort(ns, BATCHES, sizeof(*ns), by_value);
		printf("%s\t%.3f\n", jobs[i].name, ns[BATCHES / 2]);
	}
	return 0;
}
