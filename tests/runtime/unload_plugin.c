/* unload_plugin.c - what a program loads, calls, and unloads. Built twice, with NAME alpha and NAME beta: the same but for names, so that one comes to lie where the other was, function upon function. Each function tells what it has done in its result.
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define JOINED(name, what) name##_##what
#define OF(name, what) JOINED(name, what)
#define STAYS __asm__ volatile("" ::: "memory")

long OF(NAME, leaks)(void);
long OF(NAME, waits)(void);
long OF(NAME, creates)(void);

/* Bytes that are never freed. */
long OF(NAME, leaks)(void)
{
	long bytes = 0;
	for (int i = 0; i < 100; i++) {
		void *volatile block = malloc(1000);
		bytes += block ? 1000 : 0;
	}
	return bytes;
}

/* Waits in pthread_cond_timedwait. */
long OF(NAME, waits)(void)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t never = PTHREAD_COND_INITIALIZER;
	long waits = 0;
	pthread_mutex_lock(&mutex);
	for (int i = 0; i < 7; i++) {
		struct timespec until;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 2000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		while (pthread_cond_timedwait(&never, &mutex, &until) == 0)
			waits++;
		waits++;
	}
	pthread_mutex_unlock(&mutex);
	return waits;
}

static void *nothing(void *unused)
{
	return unused;
}

/* Threads that have ended. */
long OF(NAME, creates)(void)
{
	long threads = 0;
	for (int i = 0; i < 3; i++) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, nothing, NULL) != 0)
			continue;
		threads++;
		pthread_join(thread, NULL);
	}
	STAYS;
	return threads;
}
