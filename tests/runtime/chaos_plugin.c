/* chaos_plugin.c - comes and goes (chaos_life.c, chaos_cxx.cpp): computes, allocates, locks and waits while it is there.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static uint64_t *volatile kept;

static __attribute__((noinline)) uint64_t add(uint64_t number)
{
	return number ? number + add(number - 1) : 0;
}

__attribute__((constructor)) static void begin(void)
{
	pthread_mutex_lock(&mutex);
	kept = malloc(100);
	pthread_mutex_unlock(&mutex);
}

__attribute__((destructor)) static void end(void)
{
	pthread_mutex_lock(&mutex);
	free(kept);
	pthread_mutex_unlock(&mutex);
}

uint64_t chaos_plugin_work(uint64_t number);

__attribute__((visibility("default"))) uint64_t chaos_plugin_work(uint64_t number)
{
	struct timespec moment = { 0, 100000 };
	uint64_t result = 0;
	pthread_mutex_lock(&mutex);
	for (int i = 0; i < 20; i++) {
		uint64_t *volatile block = malloc(sizeof(*block));
		if (!block)
			abort();
		*block = add(number);
		result = *block;
		free(block);
	}
	nanosleep(&moment, NULL);
	pthread_mutex_unlock(&mutex);
	return result;
}
