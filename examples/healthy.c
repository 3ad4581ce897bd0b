/* healthy.c - the same load as leaky.c without its leak: a pool of threads takes jobs from a channel that is read, and each
 * block is freed. Two profiles of it, taken at any two points in time, have an empty difference.
 *
 *     healthy [ADDRESS]      serves /debug/pprof/ at ADDRESS (127.0.0.1:9527)
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cpprof.h>

#define BLOCK_SIZE (10 * 1024 * 1024)
#define POOL 8

/* A channel with room for one job. */
struct channel {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool full;
	size_t value;
};

static struct channel jobs = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
static char *volatile escaped;

static void chan_send(struct channel *channel, size_t value)
{
	pthread_mutex_lock(&channel->lock);
	while (channel->full)
		pthread_cond_wait(&channel->changed, &channel->lock);
	channel->full = true;
	channel->value = value;
	pthread_cond_broadcast(&channel->changed);
	pthread_mutex_unlock(&channel->lock);
}

static size_t chan_receive(struct channel *channel)
{
	pthread_mutex_lock(&channel->lock);
	while (!channel->full)
		pthread_cond_wait(&channel->changed, &channel->lock);
	channel->full = false;
	size_t value = channel->value;
	pthread_cond_broadcast(&channel->changed);
	pthread_mutex_unlock(&channel->lock);
	return value;
}

static void *work(void *unused)
{
	(void)unused;
	for (;;) {
		char *block = malloc(chan_receive(&jobs));
		if (!block)
			abort();
		escaped = block;
		block[0] = 1;
		free(block);
	}
}

int main(int argc, char **argv)
{
	const struct timespec pause = { 0, 100000000 };
	const char *address = argc > 1 ? argv[1] : "127.0.0.1:9527";
	char bound[128];
	int error = cpprof_serve(address);
	if (error) {
		fprintf(stderr, "healthy: cannot serve at %s: %s\n", address, strerror(-error));
		return 1;
	}
	for (int i = 0; i < POOL; i++) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, work, NULL))
			return 1;
	}
	cpprof_address(bound, sizeof(bound));
	printf("serving http://%s/debug/pprof/\n", bound);
	fflush(stdout);
	for (;;) {
		chan_send(&jobs, BLOCK_SIZE);
		nanosleep(&pause, NULL);
	}
}
