/* heap_own_malloc OUTPUT - a program that brings its own malloc: hooks of a preloaded library see nothing of it. Writes its
 * heap profile to OUTPUT. The malloc is safe_malloc.c's, linked into the program. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	for (int i = 0; i < 10000; i++) {
		void *volatile block = malloc(1000); /* volatile: the pair is not to be left out */
		if (!block)
			return 1;
		free(block);
	}
	void *address = dlsym(RTLD_DEFAULT, "cpprof_write");
	if (address && argc > 1) {
		int (*profile_write)(const char *, int, int);
		memcpy(&profile_write, &address, sizeof(address));
		int fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0600);
		if (fd < 0 || profile_write("heap", fd, 0))
			return 1;
	}
	puts("done");
	return 0;
}
