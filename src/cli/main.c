/* main.c - the program: options, profile, then one report or the shell. */
#include <limits.h>
#include <malloc.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/out.h"
#include "cli/acquire.h"
#include "cli/messages.h"
#include "cli/name_helper.h"
#include "cli/options.h"
#include "cli/ps.h"
#include "cli/run.h"
#include "cli/shell.h"
#include "cli/usage.h"

#define STATUS_FAILED 2

static void print_usage(void)
{
	struct buffer text;
	buffer_init(&text, BUFFER_UNLIMITED);
	usage_append_command_line(&text);
	message_line(NULL, buffer_text(&text));
	buffer_release(&text);
}

static enum status run(const struct options *options, struct error *err)
{
	struct profile profile;
	enum status status = acquire_profile(options, &profile, err);
	if (status != STATUS_OK)
		return status;
	if (options->command) {
		struct report_context context = { .notice = message_warning };
		status = command_run(options->command, options->parameter, &options->config, &profile, &context, err);
	} else {
		shell_run(&profile, &options->config);
	}
	profile_release(&profile);
	return status;
}

static int fail_with(const struct error *err)
{
	message_failure(err);
	return STATUS_FAILED;
}

/* Blocks of some megabytes come and go while a profile is read. Kept in the heap, their pages are used again; from mmap,
 * each would be faulted in anew and given back. Larger ones are better off there: they grow without copies. */
static void tune_allocation(void)
{
	mallopt(M_MMAP_THRESHOLD, 16 * 1024 * 1024);
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
}

int main(int argc, char **argv)
{
	if (name_helper_is_wanted(argc, argv))
		return name_helper_run();
	/* First: what it executes gets the signals as we have got them. A file of that name is read as ./run. */
	if (argc > 1 && strcmp(argv[1], "run") == 0)
		return run_program(argc - 1, argv + 1);
	tune_allocation();
	/* `cpprof ... | head`: a failed write tells, and is success. */
	signal(SIGPIPE, SIG_IGN);
	if (argc > 1 && strcmp(argv[1], "ps") == 0)
		return ps_print(argc - 1, argv + 1);
	struct options options;
	struct error err;
	int exit_status = EXIT_SUCCESS;
	switch (options_parse(&options, argc, argv, message_warning, &err)) {
	case OPTIONS_HELP:
		print_usage();
		break;
	case OPTIONS_VERSION:
		puts("cpprof " CPPROF_VERSION);
		if (fflush(stdout) != 0) {
			error_set_errno(&err, errno, "write");
			exit_status = fail_with(&err);
		}
		break;
	case OPTIONS_USAGE:
		if (!options.sources)
			message_warning(NULL, err.message); /* where Go's flag package has it */
		print_usage();
		exit_status = fail_with(&err); /* where it does not scroll away */
		break;
	case OPTIONS_ERROR:
		exit_status = fail_with(&err);
		break;
	case OPTIONS_RUN:
		if (run(&options, &err) != STATUS_OK)
			exit_status = fail_with(&err);
		break;
	}
	options_release(&options);
	fetch_global_cleanup();
	return exit_status;
}
