/* command.c - the table of report commands, and where their output goes. */
#include "cli/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/out.h"
#include "base/xalloc.h"
#include "cli/pipeline.h"

#define FILTER_ARGUMENTS "[n] [focus_regex]* [-ignore_regex]* [>f]"
#define REPORT_USAGE(name) name " " FILTER_ARGUMENTS

const struct command command_table[] = {
	{ "comments", COMMAND_COMMENTS, false, false, NULL, "Output all profile comments", "comments [>f]" },
	{ "list", COMMAND_LIST, true, false, NULL, "Output annotated source for functions matching regexp",
	  "list <func_regex> [focus_regex]* [-ignore_regex]* [>f]" },
	{ "peek", COMMAND_PEEK, true, false, NULL, "Output callers/callees of functions matching regexp",
	  "peek <func_regex> [focus_regex]* [-ignore_regex]* [>f]" },
	{ "proto", COMMAND_PROTO, false, true, "pb.gz", "Outputs the profile in compressed protobuf format", "proto [>f]" },
	{ "raw", COMMAND_RAW, false, false, NULL, "Outputs a text representation of the raw profile", "raw [>f]" },
	{ "tags", COMMAND_TAGS, false, false, NULL, "Outputs all tags in the profile",
	  "tags [tag_regex]* [-ignore_regex]* [>f]" },
	{ "text", COMMAND_TEXT, false, false, NULL, "Outputs top entries in text form", REPORT_USAGE("text") },
	{ "top", COMMAND_TEXT, false, false, NULL, "Outputs top entries in text form", REPORT_USAGE("top") },
	{ "topproto", COMMAND_TOPPROTO, false, true, "pb.gz", "Outputs top entries in compressed protobuf format",
	  "topproto [>f]" },
	{ "traces", COMMAND_TRACES, false, false, NULL, "Outputs all profile samples in text form",
	  "traces [focus_regex]* [-ignore_regex]* [>f]" },
	{ "tree", COMMAND_TREE, false, false, NULL, "Outputs a text rendering of call graph", REPORT_USAGE("tree") },
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

/* --- where the output goes ------------------------------------------------------------------------------------------- */

/* A report on its way to a file. It is written beside its final name and renamed when it is complete, so that a full disk
 * or an error leaves what was there. */
struct destination {
	int fd;
	char *path;      /* NULL: standard output */
	char *temporary; /* NULL: written in place (a device, a FIFO, a directory that cannot be written) */
	bool is_new;     /* written in place, but to a file that was not there */
};

static void notice(const struct report_context *context, const char *words, const char *path)
{
	char *line = xasprintf("%s%s", words, path);
	context->notice(context->notice_arg, line);
	free(line);
}

/* profile001.pb.gz and so on, the first that is free, in the current directory. */
static enum status open_numbered(struct destination *destination, const char *extension, struct error *err)
{
	for (int i = 1; i < 10000; i++) {
		char *path = xasprintf("profile%03d.%s", i, extension);
		destination->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (destination->fd >= 0) {
			destination->path = path;
			destination->is_new = true;
			return STATUS_OK;
		}
		int reason = errno;
		if (reason != EEXIST)
			error_set_errno(err, reason, "open %s", path);
		free(path);
		if (reason != EEXIST)
			return STATUS_IO;
	}
	return error_set(err, STATUS_IO, "could not create file of the form profile001.%s", extension);
}

static enum status open_file(struct destination *destination, const char *path, struct error *err)
{
	destination->path = xstrdup(path);
	struct stat existing;
	bool exists = stat(path, &existing) == 0;
	if (!exists || (S_ISREG(existing.st_mode) && existing.st_nlink == 1)) {
		/* A symbolic link is followed by writing in place. */
		struct stat link;
		if (lstat(path, &link) != 0 || !S_ISLNK(link.st_mode)) {
			destination->temporary = xasprintf("%s.%ld.tmp", path, (long)getpid());
			mode_t mode = exists ? existing.st_mode & 0777 : 0666;
			destination->fd = open(destination->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
			if (destination->fd >= 0) {
				if (exists)
					fchmod(destination->fd, mode); /* open() has cut it by the umask; as it was, if that may be */
				return STATUS_OK;
			}
			free(destination->temporary);
			destination->temporary = NULL;
		}
	}
	destination->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return destination->fd >= 0 ? STATUS_OK : error_set_errno(err, errno, "open %s", path);
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
		return status; /* standard output, which stays open */
	if (destination->fd >= 0 && close(destination->fd) != 0 && status == STATUS_OK)
		status = error_set_errno(err, errno, "write %s", destination->path);
	if (destination->temporary) {
		if (status == STATUS_OK && rename(destination->temporary, destination->path) != 0)
			status = error_set_errno(err, errno, "rename to %s", destination->path);
		if (status != STATUS_OK)
			unlink(destination->temporary);
	} else if (destination->is_new && status != STATUS_OK) {
		unlink(destination->path);
	}
	free(destination->temporary);
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
	if (status == STATUS_OK) {
		struct out out;
		struct error write_error;
		out_init_fd(&out, destination.fd);
		status = pipeline_write(&pipeline, &out, err);
		if (status == STATUS_OK && destination.path)
			notice(context, "Generating report in ", destination.path);
		enum status written = out_close(&out, &write_error);
		bool reader_left = written != STATUS_OK && write_error.sys_errno == EPIPE && !destination.path;
		if (status == STATUS_OK && written != STATUS_OK && !reader_left) {
			*err = write_error;
			if (destination.path)
				error_prefix(err, "%s: ", destination.path);
			status = written;
		}
	}
	status = destination_close(&destination, status, err);
	pipeline_release(&pipeline);
	return status;
}
