/* save.c - where fetched profiles are kept. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "fetch/fetch.h"
#include "fetch/file.h"

/* A file name has 255 bytes; counter and suffix want theirs. */
#define PREFIX_MAX_LENGTH 200

/* Makes the directory and its parents. *ret_failed is the one that could not be made (owned), NULL if all are there. */
static int make_directories(const char *path, char **ret_failed)
{
	struct stat status;
	*ret_failed = NULL;
	for (const char *slash = path;; slash++) {
		slash = strchr(*slash == '/' ? slash + 1 : slash, '/');
		char *part = slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup(path);
		int reason = 0;
		if (*part && stat(part, &status) == 0)
			reason = S_ISDIR(status.st_mode) ? 0 : ENOTDIR;
		else if (*part && mkdir(part, 0755) != 0 && errno != EEXIST)
			reason = errno;
		if (reason) {
			*ret_failed = part;
			return reason;
		}
		free(part);
		if (!slash || !slash[1])
			return 0;
	}
}

static bool directory_usable(const char *directory, const struct fetch_options *options)
{
	char *failed;
	int reason = make_directories(directory, &failed);
	if (!reason)
		return true;
	struct error err;
	error_set_errno(&err, reason, "Could not use temp dir %s: mkdir %s", directory, failed);
	free(failed);
	options->notice(options->notice_arg, err.message);
	return false;
}

/* The first usable directory, owned by the caller; NULL if there is none. */
static char *choose_directory(const struct fetch_options *options)
{
	const char *chosen = getenv("PPROF_TMPDIR"), *home = getenv("HOME");
	if (chosen && *chosen && directory_usable(chosen, options))
		return xstrdup(chosen);
	if (home && *home) {
		size_t length = strlen(home);
		char *directory = xasprintf("%s%spprof", home, home[length - 1] == '/' ? "" : "/");
		if (directory_usable(directory, options))
			return directory;
		free(directory);
	}
	const char *temporary = file_temp_directory();
	return directory_usable(temporary, options) ? xstrdup(temporary) : NULL;
}

static char *safe_prefix(const char *prefix)
{
	char *safe = xstrndup(prefix, strnlen(prefix, PREFIX_MAX_LENGTH));
	for (char *c = safe; *c; c++) {
		if (*c == '/' || (unsigned char)*c < ' ' || *c == 0x7F)
			*c = '_';
	}
	return safe;
}

enum status fetch_save(const char *prefix, const char *suffix, struct str bytes, const struct fetch_options *options,
                       char **ret_path, struct error *err)
{
	char *directory = choose_directory(options);
	if (!directory)
		return error_set(err, STATUS_IO,
		                 "failed to identify temp dir: set PPROF_TMPDIR to a directory that can be written");
	char *safe = safe_prefix(prefix), *path = NULL;
	int fd;
	enum status status = file_create_numbered(directory, safe, suffix, &fd, &path, err);
	free(safe);
	free(directory);
	if (status != STATUS_OK)
		return status;
	status = file_write_fd(fd, path, bytes, err);
	if (close(fd) != 0 && status == STATUS_OK)
		status = error_set_errno(err, errno, "close %s", path);
	if (status != STATUS_OK) {
		unlink(path);
		free(path);
		return status;
	}
	*ret_path = path;
	return STATUS_OK;
}
