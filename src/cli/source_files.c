/* source_files.c - looking for source files.
 *
 * A relative name is tried in each directory of the search path and in all their parents; an absolute one must exist. The
 * name is trimmed first (base/path.h), so that a path of the build machine can be found on this one.
 */
#include "cli/source_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/path.h"
#include "base/xalloc.h"

/* No source file of anybody is larger; a profile may name any file. */
#define SOURCE_CEILING ((size_t)256 * 1024 * 1024)
#define READ_SIZE ((size_t)64 * 1024)

/* All that is kept in memory at once. */
#define SOURCES_CEILING ((size_t)1024 * 1024 * 1024)
/* A FIFO or a terminal of that name is neither waited for nor taken over. */
#define SOURCE_OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

struct source_file {
	char *name; /* as the profile has it */
	struct buffer content;
	struct str *lines;
	size_t line_count;
	struct error failure; /* code STATUS_OK if it was read */
};

void source_files_init(struct source_files *files, const char *source_path, const char *trim_path)
{
	*files = (struct source_files){ .trim_path = xstrdup(trim_path) };
	strtab_init(&files->names, 0);
	char *here = *source_path ? NULL : getcwd(NULL, 0);
	files->search_path = xstrdup(here ? here : source_path);
	free(here);
}

void source_files_release(struct source_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		free(files->files[i].name);
		free(files->files[i].lines);
		buffer_release(&files->files[i].content);
	}
	strtab_release(&files->names);
	free(files->files);
	free(files->search_path);
	free(files->trim_path);
}

/* Opens DIRECTORY/PATH, then in the directory's parents up to the root. */
static int open_upwards(struct str directory, struct str path)
{
	for (;;) {
		char *file = path_join((struct str[]){ directory, path }, 2);
		int fd = open(file, SOURCE_OPEN_FLAGS);
		free(file);
		if (fd >= 0)
			return fd;
		while (directory.length > 1 && directory.data[directory.length - 1] == '/')
			directory.length--;
		if (directory.length == 0 || str_equal(directory, STR_LITERAL("/")) || str_equal(directory, STR_LITERAL(".")))
			return -1;
		size_t slash = directory.length;
		while (slash > 0 && directory.data[slash - 1] != '/')
			slash--;
		if (slash == 0)
			directory = STR_LITERAL("."); /* above a relative path stands the current directory */
		else
			directory.length = slash > 1 ? slash - 1 : 1;
	}
}

static int find_and_open(const struct source_files *files, struct str name, struct error *err)
{
	struct str path = path_trim(name, str_of(files->trim_path), str_of(files->search_path));
	if (path.length && path.data[0] == '/') {
		char *text = xstrndup(path.data, path.length);
		int fd = open(text, SOURCE_OPEN_FLAGS);
		if (fd < 0)
			error_set_errno(err, errno, "open %s", text);
		free(text);
		return fd;
	}
	struct str list = str_of(files->search_path), directory;
	while (path_list_next(&list, &directory)) {
		int fd = open_upwards(directory, path);
		if (fd >= 0)
			return fd;
	}
	error_set(err, STATUS_NOT_FOUND, "could not find file %.*s on path %s", STR_ARG(path), files->search_path);
	return -1;
}

/* A directory or device of that name has no lines. */
static bool is_regular(int fd)
{
	struct stat status;
	return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

static enum status read_content(struct source_file *file, int fd, size_t ceiling, struct error *err)
{
	buffer_init(&file->content, ceiling < SOURCE_CEILING ? ceiling : SOURCE_CEILING);
	while (is_regular(fd)) {
		char *room = buffer_reserve(&file->content, READ_SIZE);
		if (!room)
			return error_set(err, STATUS_LIMIT, "read %s: more than %zu bytes of source are not accepted", file->name,
			                 file->content.ceiling);
		ssize_t got = read(fd, room, READ_SIZE);
		if (got == 0)
			break;
		if (got > 0)
			buffer_claim(&file->content, (size_t)got);
		else if (errno != EINTR)
			return error_set_errno(err, errno, "read %s", file->name);
	}
	return STATUS_OK;
}

static void split_lines(struct source_file *file)
{
	struct str left = buffer_str(&file->content);
	size_t capacity = 0;
	while (left.length > 0) {
		const char *newline = memchr(left.data, '\n', left.length);
		size_t length = newline ? (size_t)(newline - left.data) : left.length;
		file->lines = xgrow(file->lines, file->line_count, &capacity, sizeof(*file->lines));
		file->lines[file->line_count++] = (struct str){ left.data, length };
		left = str_from(left, newline ? length + 1 : length);
	}
}

static void load(struct source_files *files, struct source_file *file)
{
	int fd = find_and_open(files, str_of(file->name), &file->failure);
	if (fd < 0) {
		files->missing++;
		return;
	}
	if (read_content(file, fd, SOURCES_CEILING - files->loaded_bytes, &file->failure) == STATUS_OK)
		split_lines(file);
	files->loaded_bytes += file->content.length;
	close(fd);
}

static enum status read_source(void *arg, struct str name, struct source_lines *ret_lines, struct error *err)
{
	struct source_files *files = arg;
	uint32_t known = strtab_find(&files->names, name);
	if (known == UINT32_MAX) {
		files->files = xgrow(files->files, files->count, &files->capacity, sizeof(*files->files));
		struct source_file *added = &files->files[files->count++];
		*added = (struct source_file){ .name = xstrndup(name.data, name.length) };
		known = strtab_add(&files->names, NULL, (struct str){ added->name, name.length });
		load(files, added);
	}
	const struct source_file *file = &files->files[known - 1]; /* the empty string has the index 0 */
	*ret_lines = (struct source_lines){ file->lines, file->line_count };
	if (file->failure.code)
		*err = file->failure;
	return file->failure.code;
}

struct source_reader source_files_reader(struct source_files *files)
{
	return (struct source_reader){ read_source, files };
}
