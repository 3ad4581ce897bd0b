/* helper_spawn.h - starting a program that the host cannot notice: no SIGCHLD, nothing for it to wait for. docs/adr/0013. */
#ifndef CPPROF_RUNTIME_COLLECT_HELPER_SPAWN_H
#define CPPROF_RUNTIME_COLLECT_HELPER_SPAWN_H

#include <stdint.h>

struct helper_launch {
	int program; /* descriptor of the executable */
	int socket;  /* becomes its standard input and output; the error output is /dev/null */
	const char *const *arguments;
	const char *const *environment;
	/* Set when helper_spawn returns. */
	int pid;
	int error; /* of execve; 0 = it runs */
};

/* Bytes of stack that the two processes on the way need. */
#define HELPER_STACK_SIZE ((size_t)64 * 1024)

/* Starts the program as an orphan; 0 or -errno. The caller must be neither process 1 nor a subreaper, and keeps its descriptors.
 * Its thread waits until the program has been executed. `stack`: HELPER_STACK_SIZE bytes, aligned to 16. */
int helper_spawn(struct helper_launch *launch, unsigned char *stack);

#endif
