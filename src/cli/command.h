/* command.h - the report commands: one table row each, from which flags, shell commands, usage and help are made; and
 * running one of them on a profile.
 */
#ifndef CPPROF_CLI_COMMAND_H
#define CPPROF_CLI_COMMAND_H

#include <signal.h>
#include <stdbool.h>

#include "base/status.h"
#include "cli/config.h"
#include "profile/profile.h"

enum command_id {
	COMMAND_COMMENTS,
	COMMAND_LIST,
	COMMAND_PEEK,
	COMMAND_PROTO,
	COMMAND_RAW,
	COMMAND_TAGS,
	COMMAND_TEXT, /* top */
	COMMAND_TOPPROTO,
	COMMAND_TRACES,
	COMMAND_TREE,
};

struct command {
	const char *name; /* as a flag without '-', and in the shell */
	enum command_id id;
	bool has_parameter;    /* takes a regular expression: -list=RE, `list RE` */
	bool binary;           /* its output is not for a terminal */
	const char *extension; /* for profileNNN.EXT when `binary` and no output file is given */
	const char *help;      /* one line */
	const char *usage;     /* shell usage behind the name, "\n"-separated lines */
};

extern const struct command command_table[];
extern const size_t command_count;

/* NULL if there is none of that name. */
const struct command *command_find(const char *name);

/* Reports that pprof has and cpprof does not have yet: said plainly instead of "not defined". */
struct missing_command {
	const char *name;
	bool has_parameter;
};
extern const struct missing_command missing_commands[];
extern const size_t missing_command_count;
bool command_is_missing(const char *name);

/* Where a report goes and whom its warnings reach. */
struct report_context {
	bool interactive; /* the shell runs: binary formats always go to a file; text/top show 10 rows */
	void (*notice)(void *arg, const char *line); /* one line without newline, for stderr */
	void *notice_arg;
	const volatile sig_atomic_t *stop; /* if it becomes other than 0, the report is given up; may be NULL */
};

/* Tells the user one line. */
void context_notice(const struct report_context *context, const char *format, ...) CPPROF_PRINTF(2, 3);

/* Makes one report: overrides of the command, filters, aggregation, report, output (stdout or config->output).
 * `parameter` is the regular expression of list and peek, else NULL. The profile is edited: pass a copy to keep it.
 * Errors read as the reference's final line without "pprof: ". A closed stdout (EPIPE) is success. */
enum status command_run(const struct command *command, const char *parameter, const struct config *config,
                        struct profile *profile, const struct report_context *context,
                        struct error *err) CPPROF_MUST_USE;

/* Index of the sample type that `sample_index` names in this profile, with the reference's errors. */
enum status sample_index_find(const struct profile *profile, const char *sample_index, uint32_t *ret_index,
                              struct error *err) CPPROF_MUST_USE;

/* The header lines above a report ("File: ...", "Type: ...", ...), appended to *lines, newline after each, and the total. Tells
 * of mixed label units. False if the options choose no sample type that the profile has. */
bool profile_header(struct profile *profile, const struct config *config, const struct report_context *context,
                    struct buffer *lines, int64_t *ret_total);

#endif
