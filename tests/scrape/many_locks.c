/* many_locks.c - 20,000 locks, each waited for once, at one place in the program. Plain: it knows nothing of libcpprof. Says
 * "ready" when it has done so, and ends when its standard input does. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define COUNT 20000

static pthread_mutex_t locks[COUNT];
static atomic_int held, passed; /* how many locks have been taken by main, and got by the waiter */

static void *wait_for_each(void *unused)
{
	for (int i = 0; i < COUNT; i++) {
		while (atomic_load(&held) <= i)
			sched_yield();
		pthread_mutex_lock(&locks[i]);
		pthread_mutex_unlock(&locks[i]);
		atomic_store(&passed, i + 1);
	}
	return unused;
}

int main(void)
{
	const struct timespec pause = { 0, 20000 };
	pthread_t waiter;
	for (int i = 0; i < COUNT; i++)
		pthread_mutex_init(&locks[i], NULL);
	if (pthread_create(&waiter, NULL, wait_for_each, NULL))
		return 1;
	for (int i = 0; i < COUNT; i++) {
		pthread_mutex_lock(&locks[i]);
		atomic_store(&held, i + 1);
		nanosleep(&pause, NULL);
		pthread_mutex_unlock(&locks[i]);
		while (atomic_load(&passed) <= i)
			sched_yield();
	}
	pthread_join(waiter, NULL);
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
