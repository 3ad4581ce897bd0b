/* leaky.c - a server with a leak, for hunting: ten times a second alloc1 starts a thread in alloc2, which allocates 10 MiB
 * and then blocks for ever, sending on a channel whose reader never reads.
 *
 *     leaky [ADDRESS [COUNT]]      serves /debug/pprof/ at ADDRESS (127.0.0.1:9527)
 *
 * With COUNT it stops leaking after so many threads, says so, and goes on with the next COUNT at SIGUSR1: a hunt that is to
 * show the same numbers each time (examples/hunt.sh) needs that.
 */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cpprof.h>

#define BLOCK_SIZE (10 * 1024 * 1024)
#define THREAD_STACK (64 * 1024)

/* An unbuffered channel: who sends waits until somebody receives. */
struct channel {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool wanted; /* a receiver waits */
	char *value;
};

/* The mistake: the results are sent here, and nobody receives them. (healthy.c does.) */
static struct channel results = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void chan_send(struct channel *channel, char *value)
{
	pthread_mutex_lock(&channel->lock);
	while (!channel->wanted)
		pthread_cond_wait(&channel->changed, &channel->lock);
	channel->wanted = false;
	channel->value = value;
	pthread_cond_broadcast(&channel->changed);
	pthread_mutex_unlock(&channel->lock);
}

static void *alloc2(void *unused)
{
	(void)unused;
	char *block = malloc(BLOCK_SIZE);
	if (!block)
		abort();
	chan_send(&results, block);
	block[0]++;
	free(block);
	return NULL;
}

static void alloc1(void)
{
	pthread_attr_t attributes;
	pthread_t thread;
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, THREAD_STACK);
	int error = pthread_create(&thread, &attributes, alloc2, NULL);
	if (error)
		fprintf(stderr, "leaky: pthread_create: %s\n", strerror(error));
	pthread_attr_destroy(&attributes);
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
		fprintf(stderr, "leaky: cannot serve at %s: %s\n", address, strerror(-error));
		return 1;
	}
	cpprof_address(bound, sizeof(bound));
	printf("serving http://%s/debug/pprof/\n", bound);
	fflush(stdout);

	for (int started = 1;; started++) {
		alloc1();
		nanosleep(&pause, NULL);
		if (count && started % count == 0) {
			printf("leaked %d\n", started);
			fflush(stdout);
			wait_for_signal(SIGUSR1);
		}
	}
}
