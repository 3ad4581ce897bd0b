/* perf.c - files of `perf record`, by way of the program perf_to_profile. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "fetch/file.h"

#define PERF_MAGIC "PERFILE2"
#define CONVERTER "perf_to_profile"

bool perf_file_detect(const char *path)
{
	/* A pipe is not even opened: whoever writes to it would find it closed again. */
	struct stat status;
	if (stat(path, &status) != 0 || !S_ISREG(status.st_mode))
		return false;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return false;
	char magic[sizeof(PERF_MAGIC) - 1];
	bool is_perf = pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
	               memcmp(magic, PERF_MAGIC, sizeof(magic)) == 0;
	close(fd);
	return is_perf;
}

/* posix_spawn takes arguments that may be changed, which it never does. */
static char *argument(const char *text)
{
	return (char *)(uintptr_t)text;
}

static enum status run_converter(const char *from, const char *to, struct error *err)
{
	char *const arguments[] = {
		argument(CONVERTER), argument("-i"), argument(from), argument("-o"), argument(to), argument("-f"), NULL
	};
	/* We ignore SIGPIPE; the converter shall not. */
	sigset_t defaults;
	posix_spawnattr_t attributes;
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	pid_t pid;
	int reason = posix_spawnp(&pid, CONVERTER, NULL, &attributes, arguments, environ);
	posix_spawnattr_destroy(&attributes);
	if (reason == ENOENT)
		return error_set(err, STATUS_UNSUPPORTED, "exec: \"" CONVERTER "\": executable file not found in $PATH");
	if (reason != 0)
		return error_set_errno(err, reason, "exec " CONVERTER);
	int status;
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return error_set_errno(err, errno, "wait for " CONVERTER);
	}
	if (WIFSIGNALED(status))
		return error_set(err, STATUS_FORMAT, CONVERTER " ended by signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return error_set(err, STATUS_FORMAT, "exit status %d", WEXITSTATUS(status));
	return STATUS_OK;
}

enum status perf_file_convert(const char *path, const struct fetch_options *options, struct buffer *to,
                              struct error *err)
{
	char *line = xasprintf("Converting %s to a profile.proto... (May take a few minutes)", path);
	options->notice(options->notice_arg, line);
	free(line);
	int fd;
	char *profile;
	enum status status = file_create_numbered(file_temp_directory(), "pprof_", ".pb.gz", &fd, &profile, err);
	if (status != STATUS_OK)
		return status;
	close(fd);
	status = run_converter(path, profile, err);
	if (status != STATUS_OK)
		error_prefix(err, "failed to convert perf.data file. Try github.com/google/perf_data_converter: ");
	else
		status = file_read(profile, to, err);
	unlink(profile);
	free(profile);
	return status;
}
