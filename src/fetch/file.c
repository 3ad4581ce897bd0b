/* file.c - reading and creating files. */
#include "fetch/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"

#define CHUNK ((size_t)64 * 1024)
/* What a character device (a terminal, /dev/zero) may give: no profile in one is larger, and most of them never end. */
#define DEVICE_CEILING ((size_t)64 * 1024 * 1024)

static enum status too_large(const char *path, size_t ceiling, struct error *err)
{
	return error_set(err, STATUS_LIMIT, "read %s: more than %zu bytes, the most that is accepted", path, ceiling);
}

/* Reads to the end with room for `expected` bytes made at once; *to holds `most` bytes in the end at the most. */
static enum status read_to_end(int fd, const char *path, size_t expected, size_t most, struct buffer *to,
                               struct error *err)
{
	/* One byte more, so that the end is met without the buffer growing. */
	size_t room = expected > 0 ? expected + 1 : CHUNK;
	for (;;) {
		size_t allowed = most - to->length;
		char stray;
		char *target = allowed == 0 ? &stray : buffer_reserve(to, room < allowed ? room : allowed);
		size_t size = allowed == 0 ? 1 : room < allowed ? room : allowed;
		ssize_t got = read(fd, target, size);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_set_errno(err, errno, "read %s", path);
		if (got == 0)
			return STATUS_OK;
		if (allowed == 0)
			return too_large(path, most, err);
		buffer_claim(to, (size_t)got);
		room = room > (size_t)got ? room - (size_t)got : CHUNK;
	}
}

static enum status read_fd(int fd, const char *path, struct buffer *to, struct error *err)
{
	struct stat status;
	if (fstat(fd, &status) != 0)
		return error_set_errno(err, errno, "stat %s", path);
	size_t most = to->ceiling, expected = 0;
	if (S_ISREG(status.st_mode) && status.st_size > 0) {
		if ((uint64_t)status.st_size > most - to->length)
			return too_large(path, most, err);
		expected = (size_t)status.st_size;
	}
	if (S_ISCHR(status.st_mode) && most > DEVICE_CEILING)
		most = DEVICE_CEILING;
	return read_to_end(fd, path, expected, most, to, err);
}

enum status file_read(const char *path, struct buffer *to, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 && errno == ENXIO)
		return error_set(err, STATUS_INVALID,
		                 "open %s: this is a socket; fetch through it with -unix=%s http://NAME/PATH", path, path);
	if (fd < 0)
		return error_set_errno(err, errno, "open %s", path);
	enum status status = read_fd(fd, path, to, err);
	close(fd);
	return status;
}

enum status file_write_fd(int fd, const char *path, struct str bytes, struct error *err)
{
	while (bytes.length > 0) {
		ssize_t written = write(fd, bytes.data, bytes.length);
		if (written < 0 && errno != EINTR)
			return error_set_errno(err, errno, "write %s", path);
		if (written > 0)
			bytes = str_from(bytes, (size_t)written);
	}
	return STATUS_OK;
}

const char *file_temp_directory(void)
{
	const char *directory = getenv("TMPDIR");
	return directory && *directory ? directory : "/tmp";
}

enum status file_create_numbered(const char *directory, const char *prefix, const char *suffix, int *ret_fd,
                                 char **ret_path, struct error *err)
{
	size_t length = strlen(directory);
	const char *slash = length == 0 || directory[length - 1] == '/' ? "" : "/";
	for (int number = 1; number < 10000; number++) {
		char *path = xasprintf("%s%s%s%03d%s", directory, slash, prefix, number, suffix);
		int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (fd >= 0) {
			*ret_fd = fd;
			*ret_path = path;
			return STATUS_OK;
		}
		int reason = errno;
		if (reason != EEXIST)
			error_set_errno(err, reason, "open %s", path);
		free(path);
		if (reason != EEXIST)
			return STATUS_IO;
	}
	return error_set(err, STATUS_LIMIT,
	                 "could not create file of the form %s001%s: all numbers up to 9999 are taken in %s", prefix,
	                 suffix, length ? directory : "this directory");
}
