/* demo.c - a target with something on every page: processor time, a convoy on a lock, a queue, memory that comes and goes, calls
 * that wait, threads that are born and end. All of it is steady and small, so that growth would be ours. Plain: it knows nothing of
 * libcpprof, but for names it gives when somebody is there to take them; two of these are no UTF-8 on purpose. It ends when
 * its standard input does. */
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern int cpprof_lock_name(const void *lock, const char *name) __attribute__((weak));

static pthread_mutex_t convoy = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_changed = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static unsigned queued;
static volatile unsigned long spun;

static void pause_ms(long ms)
{
	const struct timespec pause = { ms / 1000, ms % 1000 * 1000000 };
	nanosleep(&pause, NULL);
}

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

__attribute__((noinline)) static void spin(void)
{
	for (double end = now() + 0.004; now() < end;)
		for (int i = 0; i < 1000; i++)
			spun++;
}

static void *burn(void *unused)
{
	pthread_setname_np(pthread_self(), "burn\xe9r");
	for (;;) {
		spin();
		pause_ms(16);
	}
	return unused;
}

__attribute__((noinline)) static void hold_lock(void)
{
	pthread_mutex_lock(&convoy);
	pause_ms(4);
	pthread_mutex_unlock(&convoy);
}

static void *in_convoy(void *unused)
{
	for (;;) {
		hold_lock();
		pause_ms(2);
	}
	return unused;
}

static void *produce(void *unused)
{
	for (;;) {
		pause_ms(5);
		pthread_mutex_lock(&queue_lock);
		queued++;
		pthread_cond_signal(&queue_changed);
		pthread_mutex_unlock(&queue_lock);
	}
	return unused;
}

static void *consume(void *unused)
{
	pthread_mutex_lock(&queue_lock);
	for (;;) {
		while (!queued)
			pthread_cond_wait(&queue_changed, &queue_lock);
		queued--;
	}
	return unused;
}

static void *read_table(void *writes)
{
	for (;;) {
		if (writes)
			pthread_rwlock_wrlock(&table);
		else
			pthread_rwlock_rdlock(&table);
		pause_ms(3);
		pthread_rwlock_unlock(&table);
		pause_ms(2);
	}
	return NULL;
}

__attribute__((noinline)) static char *allocate(size_t size)
{
	char *block = malloc(size);
	if (!block)
		abort();
	memset(block, 1, size);
	return block;
}

/* A ring of blocks: 64 are in use. */
static void *churn(void *unused)
{
	char *kept[64] = { NULL };
	for (unsigned i = 0;; i++) {
		free(kept[i % 64]);
		kept[i % 64] = allocate(20000 + i % 7 * 1000);
		pause_ms(1);
	}
	return unused;
}

static void *mayfly(void *unused)
{
	free(allocate(100000));
	pause_ms(20);
	return unused;
}

static void *breed(void *unused)
{
	for (;;) {
		pthread_t thread;
		if (!pthread_create(&thread, NULL, mayfly, NULL))
			pthread_join(thread, NULL);
		pause_ms(80);
	}
	return unused;
}

static void *wait_for_input(void *end)
{
	struct pollfd quiet = { .fd = *(int *)end, .events = POLLIN };
	for (;;)
		poll(&quiet, 1, 30);
	return NULL;
}

int main(void)
{
	int pipe_ends[2], writes = 1;
	if (pipe(pipe_ends))
		return 1;
	if (cpprof_lock_name) {
		cpprof_lock_name(&convoy, "convoy");
		cpprof_lock_name(&queue_changed, "qu\xe9ue");
	}
	const struct {
		void *(*run)(void *);
		void *argument;
	} threads[] = {
		{ burn, NULL },          { in_convoy, NULL },
		{ in_convoy, NULL },     { produce, NULL },
		{ consume, NULL },       { read_table, NULL },
		{ read_table, &writes }, { churn, NULL },
		{ breed, NULL },         { wait_for_input, &pipe_ends[0] },
	};
	for (size_t i = 0; i < sizeof(threads) / sizeof(*threads); i++) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, threads[i].run, threads[i].argument))
			return 1;
	}
	pause_ms(100);
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
