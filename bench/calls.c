/* calls.c - what calls cost that libcpprof stands in front of, or that a second thread makes dearer. Prints "NAME NS" a line: the
 * median over batches, by CPU time.
 *
 *     calls [threaded]      threaded: after a pthread_create, which takes glibc's single-threaded shortcuts away
 *
 * A program that waits is served: it waits once before it measures, so under the library the service thread is there.
 * Not here: malloc by itself (malloc_pair.c), and who compares (runtime.py).
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BATCHES 15

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static sem_t semaphore;
static int ends[2];
static FILE *sink;

static double cpu_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void lock_and_unlock(int times)
{
	for (int i = 0; i < times; i++) {
		pthread_mutex_lock(&mutex);
		pthread_mutex_unlock(&mutex);
	}
}

static void post_and_wait(int times)
{
	for (int i = 0; i < times; i++) {
		sem_post(&semaphore);
		sem_wait(&semaphore);
	}
}

static void write_and_read(int times)
{
	char byte = 'x';
	for (int i = 0; i < times; i++)
		if (write(ends[1], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1)
			exit(1);
}

static void poll_at_once(int times)
{
	struct pollfd fd = { .fd = ends[0], .events = POLLIN };
	for (int i = 0; i < times; i++)
		if (poll(&fd, 1, 0) != 0)
			exit(1);
}

static void put_character(int times)
{
	for (int i = 0; i < times; i++)
		putc('x', sink);
}

static void allocate(int times)
{
	for (int i = 0; i < times; i++) {
		char *volatile block = malloc(24);
		free(block);
	}
}

static const struct {
	const char *name;
	void (*run)(int times);
	int times;
} calls[] = {
	{ "mutex lock + unlock", lock_and_unlock, 400000 },
	{ "sem_post + sem_wait", post_and_wait, 400000 },
	{ "write + read of a pipe", write_and_read, 30000 },
	{ "poll, at once", poll_at_once, 60000 },
	{ "putc", put_character, 1000000 },
	{ "malloc(24) + free", allocate, 500000 },
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void *nothing(void *unused)
{
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	sink = fopen("/dev/null", "w");
	if (!sink || pipe(ends) != 0 || sem_init(&semaphore, 0, 0) != 0)
		return 1;
	usleep(1000);
	if (argc > 1 && strcmp(argv[1], "threaded") == 0) {
		if (pthread_create(&thread, NULL, nothing, NULL) != 0)
			return 1;
		pthread_join(thread, NULL);
	}
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		double ns[BATCHES];
		calls[i].run(calls[i].times);
		for (int batch = 0; batch < BATCHES; batch++) {
			double start = cpu_ns();
			calls[i].run(calls[i].times);
			ns[batch] = (cpu_ns() - start) / calls[i].times;
		}
		qsort(ns, BATCHES, sizeof(*ns), by_value);
		printf("%s\t%.2f\n", calls[i].name, ns[BATCHES / 2]);
	}
	return 0;
}
