/* unload_program.c - loads plugins, has them do things, and unloads them.
 *
 * Commands on standard input: "load PATH", answered by "loaded ADDRESS" (where the file lies); "call FUNCTION", answered by
 * "result NUMBER"; "unload", answered by "unloaded STATUS"; "cost PATH COUNT", answered by "cost NANOSECONDS" for each dlclose that unloads
 * and for each that does not. Ends at the input's end.
 */
#include <dlfcn.h>
#include <link.h>

#include "truth.h"

static void *library;

static void answer(const char *word, long long number)
{
	printf("%s %lld\n", word, number);
	fflush(stdout);
}

static void *load(const char *path)
{
	void *loaded = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	truth_require(loaded != NULL, "not to be loaded");
	return loaded;
}

static void call(const char *name)
{
	long (*function)(void);
	void *address = dlsym(library, name);
	truth_require(address != NULL, "no such function");
	memcpy(&function, &address, sizeof(address));
	answer("result", function());
}

static long long closes(void *handle)
{
	long long begun = truth_now_ns();
	truth_require(dlclose(handle) == 0, "not to be closed");
	return truth_now_ns() - begun;
}

static void cost(char *path)
{
	char *count = strchr(path, ' ');
	truth_require(count != NULL, "cost PATH COUNT");
	*count++ = 0;
	long long unloading = 0, staying = 0;
	int times = atoi(count);
	for (int i = 0; i < times; i++) {
		void *first = load(path), *second = load(path);
		staying += closes(second);
		unloading += closes(first);
	}
	printf("cost %lld %lld\n", unloading / times, staying / times);
	fflush(stdout);
}

int main(void)
{
	char line[4096];
	while (truth_line(line, sizeof(line))) {
		if (strncmp(line, "load ", 5) == 0) {
			library = load(line + 5);
			const struct link_map *map = library;
			answer("loaded", (long long)map->l_addr);
		} else if (strncmp(line, "call ", 5) == 0) {
			call(line + 5);
		} else if (strncmp(line, "cost ", 5) == 0) {
			cost(line + 5);
		} else {
			answer("unloaded", dlclose(library));
		}
	}
	return 0;
}
