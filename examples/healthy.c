/* healthy.c - the same load as leaky.c without its leak: a pool of threads does the work, and the results are read. Two
 * profiles of it, taken at any two points in time, have an empty difference.
 *
 *     healthy [ADDRESS [COUNT]]      serves /debug/pprof/ at ADDRESS (127.0.0.1:9527)
 *
 * With COUNT it pauses after so many jobs, says so, and goes on with the next COUNT at SIGUSR1, as leaky does.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cpprof.h>

#define BLOCK_SIZE ((size_t)10 * 1024 * 1024)
#define POOL 8

/* A channel with room for one value; NULL = there is none. */
struct channel {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	void *value;
};

static struct channel jobs = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
static struct channel results = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void chan_send(struct channel *channel, void *value)
{
	pthread_mutex_lock(&channel->lock);
	while (channel->value)
		pthread_cond_wait(&channel->changed, &channel->lock);
	channel->value = value;
	pthread_cond_broadcast(&channel->changed);
	pthread_mutex_unlock(&channel->lock);
}

static void *chan_receive(struct channel *channel)
{
	pthread_mutex_lock(&channel->lock);
	while (!channel->value)
		pthread_cond_wait(&channel->changed, &channel->lock);
	void *value = channel->value;
	channel->value = NULL;
	pthread_cond_broadcast(&channel->changed);
	pthread_mutex_unlock(&channel->lock);
	return value;
}

static void *work(void *unused)
{
	(void)unused;
	for (;;) {
		size_t *size = chan_receive(&jobs);
		char *block = malloc(*size);
		if (!block)
			abort();
		chan_send(&results, block);
	}
	return NULL;
}

static void start_pool(void)
{
	for (int i = 0; i < POOL; i++) {
		pthread_t thread;
		int error = pthread_create(&thread, NULL, work, NULL);
		if (error) {
			fprintf(stderr, "healthy: pthread_create: %s\n", strerror(error));
			exit(1);
		}
		pthread_detach(thread);
	}
}

static void wait_for_signal(int number)
{
	sigset_t signals;
	int got;
	sigemptyset(&signals);
	sigaddset(&signals, number);
	sigwait(&signals, &got);
}

int main(int argc, char **argv)
{
	static size_t job = BLOCK_SIZE;
	const struct timespec pause = { 0, 100000000 };
	const char *address = argc > 1 ? argv[1] : "127.0.0.1:9527";
	int count = argc > 2 ? atoi(argv[2]) : 0;
	char bound[128];
	sigset_t signals;

	/* Blocked from the start, so that SIGUSR1 waits until we wait for it. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);

	int error = cpprof_serve(address);
	if (error) {
		fprintf(stderr, "healthy: cannot serve at %s: %s\n", address, strerror(-error));
		return 1;
	}
	cpprof_address(bound, sizeof(bound));
	printf("serving http://%s/debug/pprof/\n", bound);
	fflush(stdout);

	start_pool();
	for (int done = 1;; done++) {
		chan_send(&jobs, &job);
		free(chan_receive(&results));
		nanosleep(&pause, NULL);
		if (count && done % count == 0) {
			printf("done %d\n", done);
			fflush(stdout);
			wait_for_signal(SIGUSR1);
		}
	}
}
