/* heap_plugin PLUGIN OUTPUT - a C program that loads a C++ library for itself alone, as interpreters do: libstdc++ comes with
 * it, and is not among the objects that other libraries can see. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	void *plugin = argc > 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
	void *address = plugin ? dlsym(plugin, "operators") : NULL;
	if (!address) {
		fprintf(stderr, "heap_plugin: %s\n", dlerror());
		return 1;
	}
	int (*operators)(const char *path);
	memcpy(&operators, &address, sizeof(address));
	return operators(argv[2]);
}
