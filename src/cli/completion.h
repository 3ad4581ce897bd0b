/* completion.h - what Tab makes of a line of the shell. */
#ifndef CPPROF_CLI_COMPLETION_H
#define CPPROF_CLI_COMPLETION_H

#include "base/buffer.h"
#include "profile/profile.h"

/* Candidates for the last word of a line. */
struct completion {
	size_t word_start; /* where in the line the word begins */
	char **candidates; /* owned, sorted, distinct: whole words to put in its place */
	size_t count, capacity;
};

/* Completes the last word of `line` (the text left of the cursor): the first word, or the one behind `help`, to commands
 * and options that begin with it; those behind a report command to functions that contain it (a '-' in front stays). Behind "NAME=" to what the option may be. */
void completion_find(struct completion *completion, const char *line, const struct profile *profile);
void completion_release(struct completion *completion);
/* The longest text that all candidates begin with, for the word; its length may be less than the word's, when they only
 * contain it. */
size_t completion_common_length(const struct completion *completion);

#endif
