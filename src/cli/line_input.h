/* line_input.h - lines from the user: on a terminal with editing, Tab and a history that is kept; else plain. */
#ifndef CPPROF_CLI_LINE_INPUT_H
#define CPPROF_CLI_LINE_INPUT_H

#include "profile/profile.h"

struct line_input;

/* The profile is what Tab completes function names from. The history is kept in $XDG_STATE_HOME/cpprof/history, or
 * ~/.local/state/cpprof/history. */
struct line_input *line_input_new(const struct profile *profile);
void line_input_free(struct line_input *input);
/* The next line without its newline, valid until the next call; NULL at the end of the input. */
const char *line_input_read(struct line_input *input);

#endif
