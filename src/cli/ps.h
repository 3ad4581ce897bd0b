/* ps.h - `cpprof ps`: the processes that carry libcpprof. */
#ifndef CPPROF_CLI_PS_H
#define CPPROF_CLI_PS_H

/* Prints one line a process on stdout. The exit status: 0, 1 = there is none, 2 = a wrong argument. */
int ps_print(int argc, char **argv);

#endif
