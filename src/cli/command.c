/* command.c - the table of report commands, and where their output goes. */
#include "cli/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/out.h"
#include "base/xalloc.h"
#include "cli/pipeline.h"
#include "fetch/file.h"

#define FILTERS "[focus_regex]... [-ignore_regex]... [> file]"
#define FILTERS_HELP \
	"focus_regex: only samples with a frame that matches; -ignore_regex: none with one.\n" \
	"> file: write to the file."
#define TABLE_HELP "n: at most so many entries. -cum: sort by cumulative value.\n" FILTERS_HELP

const struct command command_table[] = {
	{ "comments", COMMAND_COMMENTS, false, false, NULL, "Comments of the profile", "comments [> file]" },
	{ "list", COMMAND_LIST, true, false, NULL, "Source lines of matching functions, with their values",
	  "list func_regex " FILTERS "\n"
	  "func_regex: functions whose name matches. Sources are found by source_path and trim_path.\n" FILTERS_HELP },
	{ "peek", COMMAND_PEEK, true, false, NULL, "Callers and callees of matching functions",
	  "peek func_regex [-cum] " FILTERS "\nfunc_regex: functions whose name matches.\n" FILTERS_HELP },
	{ "proto", COMMAND_PROTO, false, true, "pb.gz", "The profile as compressed profile.proto", "proto [> file]" },
	{ "raw", COMMAND_RAW, false, false, NULL, "All that is in the profile, as text", "raw [> file]" },
	{ "tags", COMMAND_TAGS, false, false, NULL, "Labels and their values",
	  "tags [tag_regex]... [-ignore_regex]... [> file]\n"
	  "tag_regex: only samples with a label key:value that matches; -ignore_regex: none with one." },
	{ "text", COMMAND_TEXT, false, false, NULL, "The most expensive functions: the same as top",
	  "text [n] [-cum] " FILTERS "\n" TABLE_HELP },
	{ "top", COMMAND_TEXT, false, false, NULL, "The most expensive functions",
	  "top [n] [-cum] " FILTERS "\n" TABLE_HELP },
	{ "topproto", COMMAND_TOPPROTO, false, true, "pb.gz", "The table of top as compressed profile.proto",
	  "topproto [> file]" },
	{ "traces", COMMAND_TRACES, false, false, NULL, "Every sample with its stack",
	  "traces " FILTERS "\n" FILTERS_HELP },
	{ "tree", COMMAND_TREE, false, false, NULL, "Every function with its callers and callees",
	  "tree [n] [-cum] " FILTERS "\n" TABLE_HELP },
};
const size_t command_count = sizeof(command_table) / sizeof(command_table[0]);

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < command_count; i++) {
		if (strcmp(command_table[i].name, name) == 0)
			return &command_table[i];
	}
	return NULL;
}

const struct missing_command missing_commands[] = {
	{ "callgrind", false }, { "disasm", true }, { "dot", false },         { "eog", false },    { "evince", false },
	{ "gif", false },       { "gv", false },    { "kcachegrind", false }, { "pdf", false },    { "png", false },
	{ "ps", false },        { "svg", false },   { "web", false },         { "weblist", true },
};
const size_t missing_command_count = sizeof(missing_commands) / sizeof(missing_commands[0]);

bool command_is_missing(const char *name)
{
	for (size_t i = 0; i < missing_command_count; i++) {
		if (strcmp(missing_commands[i].name, name) == 0)
			return true;
	}
	return false;
}

void context_notice(const struct report_context *context, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *line;
	if (vasprintf(&line, format, args) >= 0) {
		context->notice(context->notice_arg, line);
		free(line);
	}
	va_end(args);
}

/* --- where the output goes ------------------------------------------------------------------------------------------- */

/* A report on its way to a file. It is written to a file without a name, which takes the place of the old one when it is
 * complete: an error, a full disk or a signal leaves what was there, and nothing else. */
struct destination {
	int fd;
	char *path;      /* NULL: standard output */
	bool is_unnamed; /* else it is written in place: a device, a FIFO, a directory or file system that cannot do better */
	bool is_new;     /* written in place, but to a file that was not there */
};

/* profile001.pb.gz and so on, the first that is free, in the current directory. */
static enum status open_numbered(struct destination *destination, const char *extension, struct error *err)
{
	char *suffix = xasprintf(".%s", extension);
	enum status status = file_create_numbered("", "profile", suffix, &destination->fd, &destination->path, err);
	destination->is_new = status == STATUS_OK;
	free(suffix);
	return status;
}

/* The directory of a path, for open(). The caller frees it. */
static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? xstrndup(path, slash == path ? 1 : (size_t)(slash - path)) : xstrdup(".");
}

static int open_unnamed(const char *path, const struct stat *existing)
{
	char *directory = directory_of(path);
	int fd = open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
	free(directory);
	if (fd >= 0 && existing && fchmod(fd, existing->st_mode & 0777) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static enum status open_file(struct destination *destination, const char *path, struct error *err)
{
	destination->path = xstrdup(path);
	struct stat existing, link;
	bool exists = stat(path, &existing) == 0;
	bool is_plain = !exists || (S_ISREG(existing.st_mode) && existing.st_nlink == 1 && access(path, W_OK) == 0);
	/* A symbolic link is followed by writing in place. */
	if (is_plain && (lstat(path, &link) != 0 || !S_ISLNK(link.st_mode))) {
		destination->fd = open_unnamed(path, exists ? &existing : NULL);
		destination->is_unnamed = destination->fd >= 0;
	}
	if (!destination->is_unnamed) {
		destination->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		destination->is_new = !exists;
	}
	return destination->fd >= 0 ? STATUS_OK : error_set_errno(err, errno, "open %s", path);
}

/* Gives the complete file its name. A name that is taken can only be replaced by renaming, so it has another one for a
 * moment. */
static enum status name_file(const struct destination *destination, struct error *err)
{
	char source[64], *temporary = xasprintf("%s.%ld.tmp", destination->path, (long)getpid());
	snprintf(source, sizeof(source), "/proc/self/fd/%d", destination->fd);
	enum status status = STATUS_OK;
	if (linkat(AT_FDCWD, source, AT_FDCWD, temporary, AT_SYMLINK_FOLLOW) != 0)
		status = error_set_errno(err, errno, "link %s", temporary);
	else if (rename(temporary, destination->path) != 0) {
		status = error_set_errno(err, errno, "rename to %s", destination->path);
		unlink(temporary);
	}
	free(temporary);
	return status;
}

static enum status destination_open(struct destination *destination, const struct command *command,
                                    const struct config *config, const struct report_context *context,
                                    struct error *err)
{
	*destination = (struct destination){ .fd = STDOUT_FILENO };
	enum status status = STATUS_OK;
	if (*config->output)
		status = open_file(destination, config->output, err);
	else if (command->binary && (context->interactive || isatty(STDOUT_FILENO)))
		status = open_numbered(destination, command->extension, err);
	return status;
}

/* Ends the writing; on any failure nothing half-written stays behind. */
static enum status destination_close(struct destination *destination, enum status status, struct error *err)
{
	if (!destination->path)
		return status;
	if (destination->is_unnamed && status == STATUS_OK)
		status = name_file(destination, err);
	if (destination->fd >= 0 && close(destination->fd) != 0 && status == STATUS_OK)
		status = error_set_errno(err, errno, "write %s", destination->path);
	if (destination->is_new && status != STATUS_OK)
		unlink(destination->path);
	free(destination->path);
	return status;
}

enum status command_run(const struct command *command, const char *parameter, const struct config *config,
                        struct profile *profile, const struct report_context *context, struct error *err)
{
	struct pipeline pipeline;
	enum status status = pipeline_init(&pipeline, command, parameter, config, profile, context, err);
	if (status != STATUS_OK)
		return status;
	struct destination destination;
	status = destination_open(&destination, command, config, context, err);
	if (status != STATUS_OK && destination.path)
		context_notice(context, "Generating report in %s", destination.path); /* which fails: what follows says why */
	if (status == STATUS_OK) {
		struct out out;
		struct error write_error;
		out_init_fd(&out, destination.fd);
		out.stop = context->stop;
		status = pipeline_write(&pipeline, &out, err);
		if (status == STATUS_OK && destination.path)
			context_notice(context, "Generating report in %s", destination.path);
		enum status written = out_close(&out, &write_error);
		bool reader_left = written != STATUS_OK && write_error.sys_errno == EPIPE && !destination.path;
		if (status == STATUS_OK && written != STATUS_OK && !reader_left) {
			status = written;
			if (context->stop && *context->stop)
				error_set(err, written, "interrupted");
			else
				*err = write_error;
			if (destination.path)
				error_prefix(err, "%s: ", destination.path);
		}
	}
	status = destination_close(&destination, status, err);
	pipeline_release(&pipeline);
	return status;
}
