/* shell.h - the interactive shell: reports, assignments and help, a line at a time. */
#ifndef CPPROF_CLI_SHELL_H
#define CPPROF_CLI_SHELL_H

#include "cli/command.h"
#include "cli/config.h"
#include "profile/profile.h"

/* Runs until the end of the input or `quit`. Begins with the options of the command line, which stay as they
 * are. Labels that profile.proto cannot hold are taken out of the profile. */
void shell_run(struct profile *profile, const struct config *config);

#endif
