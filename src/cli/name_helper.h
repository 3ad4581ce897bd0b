/* name_helper.h - `cpprof --name-addresses`: the helper that libcpprof starts for lines and inlined frames. */
#ifndef CPPROF_CLI_NAME_HELPER_H
#define CPPROF_CLI_NAME_HELPER_H

#include <stdbool.h>

/* The one argument that is not for people, nor in the manual. */
bool name_helper_is_wanted(int argc, char **argv);
/* Reads modules and addresses from standard input, writes their frames to standard output; the exit status. */
int name_helper_run(void);

#endif
