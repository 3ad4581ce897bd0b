/* truth_plugins.c - a program that loads what it spends its time in, and unloads it.
 *
 * Commands on standard input: "load PATH FUNCTION" begins a thread that computes in the library's function, answered by "loaded ADDRESS" (of the
 * function); "rest" ends the thread, answered by "rested CPU_NANOSECONDS" (the thread's); "unload" does that too and unloads the
 * library, answered by "unloaded CPU_NANOSECONDS". Ends at the input's end.
 */
#include <dlfcn.h>

#include "truth.h"

static void *library;
static pthread_t thread;
static int running;
static volatile int stop;
static long long cpu_ns;
static void (*spins)(const volatile int *stop);

static void *spinning_thread(void *unused)
{
	(void)unused;
	spins(&stop);
	cpu_ns = truth_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	return NULL;
}

static void load(char *path)
{
	char *name = strchr(path, ' ');
	truth_require(name != NULL, "load PATH FUNCTION");
	*name++ = 0;
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	void *address = library ? dlsym(library, name) : NULL;
	truth_require(address != NULL, "not to be loaded");
	memcpy(&spins, &address, sizeof(address));
	stop = 0;
	truth_require(pthread_create(&thread, NULL, spinning_thread, NULL) == 0, "no thread");
	running = 1;
	printf("loaded %p\n", address);
	fflush(stdout);
}

static void rest(void)
{
	stop = 1;
	if (running)
		pthread_join(thread, NULL);
	running = 0;
}

static void answer(const char *word)
{
	printf("%s %lld\n", word, cpu_ns);
	fflush(stdout);
}

int main(void)
{
	char line[4096];
	while (truth_line(line, sizeof(line))) {
		if (strncmp(line, "load ", 5) == 0) {
			load(line + 5);
			continue;
		}
		rest();
		if (strcmp(line, "unload") == 0)
			dlclose(library);
		answer(strcmp(line, "unload") == 0 ? "unloaded" : "rested");
	}
	return 0;
}
