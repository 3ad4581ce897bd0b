/* run.h - `cpprof run`: executes a program with libcpprof preloaded, in the same process. */
#ifndef CPPROF_CLI_RUN_H
#define CPPROF_CLI_RUN_H

/* The words behind "run". Returns only if the program could not be executed: the exit status, as env(1) has it (127 not found,
 * 126 found and not executable), 2 for what preloading cannot work with. */
int run_program(int argc, char **argv);

#endif
