/* programs_plant.c - a library to preload into any program: plants a leak and a stuck thread in it, and in each process that it forks,
 * for tests to find.
 *
 * planted_leak() loses PLANTED_BLOCKS blocks of PLANTED_SIZE, which are large enough that each is sampled at the default rate; then
 * planted_stuck() waits for ever for a condition that nobody signals. Both on a thread of their own, without signals, so
 * that the program does not see any of it. It knows nothing of libcpprof.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define PLANTED_SIZE ((size_t)10 * 1024 * 1024)
#define PLANTED_BLOCKS 5

static void *volatile lost;

static __attribute__((noinline)) void planted_leak(void)
{
	for (int i = 0; i < PLANTED_BLOCKS; i++)
		lost = malloc(PLANTED_SIZE);
}

/* A lock of its own: what the parent's thread had in hand at fork is nobody's in the child. */
static __attribute__((noinline)) void planted_stuck(void)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t never = PTHREAD_COND_INITIALIZER;
	pthread_mutex_lock(&lock);
	for (;;)
		pthread_cond_wait(&never, &lock);
}

/* Begins when the program has come up: what is allocated before its constructors have run is not always profiled. */
static void *planted(void *unused)
{
	const struct timespec moment = { 0, 200000000 };
	nanosleep(&moment, NULL);
	planted_leak();
	planted_stuck();
	return unused;
}

static void plant(void)
{
	sigset_t all, before;
	pthread_t thread;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&thread, NULL, planted, NULL) == 0)
		pthread_detach(thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static __attribute__((constructor)) void plant_at_start(void)
{
	pthread_atfork(NULL, NULL, plant);
	plant();
}
