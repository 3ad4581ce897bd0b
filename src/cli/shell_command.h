/* shell_command.h - one report command of the shell: "top10 -cum main -runtime > file". */
#ifndef CPPROF_CLI_SHELL_COMMAND_H
#define CPPROF_CLI_SHELL_COMMAND_H

#include "cli/command.h"
#include "cli/config.h"

/* The line cut into words at blanks. */
struct words {
	char *text; /* owned; words point into it */
	char **items;
	size_t count;
};

void words_split(struct words *words, const char *line);
void words_release(struct words *words);

/* Reads the words: *ret_command and *ret_parameter (a word, or NULL), and sets what the arguments say in *config, a copy of
 * the shell's. Errors are those of the reference: `unrecognized command: "foo"`, "did you mean: focus=3". */
enum status shell_command_parse(struct words *words, struct config *config, const struct command **ret_command,
                                const char **ret_parameter, struct error *err) CPPROF_MUST_USE;

#endif
