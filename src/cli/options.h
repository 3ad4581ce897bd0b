/* options.h - the command line: which profiles, which report, how. */
#ifndef CPPROF_CLI_OPTIONS_H
#define CPPROF_CLI_OPTIONS_H

#include <stdbool.h>

#include "base/status.h"
#include "cli/command.h"
#include "cli/config.h"
#include "fetch/fetch.h"

/* Texts are argv's; the config is owned. */
struct options {
	struct config config;
	const struct command *command; /* NULL: the interactive shell */
	const char *parameter;         /* of list and peek */
	char **sources;
	size_t source_count;
	const char *base; /* NULL: none */
	bool is_diff_base;
	const char *binary;   /* the profiled program, where it was given; else NULL */
	const char *build_id; /* for the main mapping; "" = none */
	const char *symbolize;
	const char *comment;        /* to be added to the profile; "" = none */
	bool all_frames;            /* no pruning by drop_frames and keep_frames */
	struct fetch_options fetch; /* without its notice */
};

enum options_result {
	OPTIONS_RUN,
	OPTIONS_HELP,    /* help was asked for */
	OPTIONS_VERSION, /* so was the version */
	OPTIONS_USAGE,   /* a flag is wrong: usage is to be shown; `err` says what */
	OPTIONS_ERROR,   /* flags contradict each other */
};

/* Reads argv. Release *options in any case. `notice` hears of flags that were ignored. */
enum options_result options_parse(struct options *options, int argc, char **argv, void (*notice)(void *, const char *),
                                  struct error *err);
void options_release(struct options *options);

#endif
