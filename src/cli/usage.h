/* usage.h - the help texts, made from the tables of commands and options. */
#ifndef CPPROF_CLI_USAGE_H
#define CPPROF_CLI_USAGE_H

#include <stdbool.h>

#include "base/buffer.h"
#include "profile/profile.h"

/* `cpprof -help`: every flag at the beginning of a line. */
void usage_append_command_line(struct buffer *to);
/* `cpprof run -help`, `cpprof ps -help`. */
void usage_append_run(struct buffer *to);
void usage_append_ps(struct buffer *to);
/* `help` in the shell. */
void usage_append_shell(struct buffer *to);
/* `help NAME`; false if there is neither a command nor an option of that name. */
bool usage_append_topic(struct buffer *to, const char *name, const struct profile *profile);

#endif
