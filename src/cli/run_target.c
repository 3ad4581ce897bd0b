/* run_target.c - finding a program as execvp does, and looking at its head. */
#include "cli/run_target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/path.h"
#include "base/xalloc.h"

#define INTERPRETERS_MAX 4
#define HEAD_SIZE 4096

/* --- finding ---------------------------------------------------------------------------------------------------------- */

static enum status check_executable(const char *path, struct error *err)
{
	struct stat status;
	if (stat(path, &status) != 0) {
		bool missing = errno == ENOENT || errno == ENOTDIR;
		enum status failed = error_set_errno(err, errno, "%s", path);
		return missing ? STATUS_NOT_FOUND : failed;
	}
	if (S_ISDIR(status.st_mode))
		return error_set_errno(err, EISDIR, "%s", path);
	if (access(path, X_OK) != 0)
		return error_set_errno(err, errno, "%s", path);
	return STATUS_OK;
}

enum status run_target_find(const char *name, char **ret_path, struct error *err)
{
	enum status status = STATUS_NOT_FOUND;
	if (strchr(name, '/')) {
		status = check_executable(name, err);
		if (status == STATUS_OK)
			*ret_path = xstrdup(name);
		return status;
	}
	const char *path = getenv("PATH");
	struct str list = str_of(path ? path : "/bin:/usr/bin"), directory;
	while (*name && status != STATUS_OK && path_list_next(&list, &directory)) {
		char *candidate = directory.length ? xasprintf("%.*s/%s", STR_ARG(directory), name) : xasprintf("./%s", name);
		struct error failure;
		enum status found = check_executable(candidate, &failure);
		if (found == STATUS_OK) {
			*ret_path = candidate;
			return STATUS_OK;
		}
		/* One that is there and may not be executed is worth telling about, unless another is found. */
		if (found == STATUS_IO && status == STATUS_NOT_FOUND) {
			status = found;
			*err = failure;
		}
		free(candidate);
	}
	return status == STATUS_NOT_FOUND ? error_set(err, status, "%s: not found in PATH", name) : status;
}

/* --- looking into it -------------------------------------------------------------------------------------------------- */

/* AT_SECURE: the dynamic linker ignores LD_PRELOAD, and the library would ignore its environment. */
static bool runs_secure(const char *path)
{
	struct stat status;
	if (stat(path, &status) != 0)
		return false;
	if ((status.st_mode & S_ISUID && status.st_uid != getuid()) ||
	    ((status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && status.st_gid != getgid()))
		return true;
	return geteuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0;
}

/* Whether the file names a dynamic linker. */
static bool has_interpreter(int fd, const Elf64_Ehdr *header)
{
	for (int i = 0; i < header->e_phnum; i++) {
		Elf64_Phdr segment;
		off_t at = (off_t)(header->e_phoff + (uint64_t)i * header->e_phentsize);
		if (pread(fd, &segment, sizeof(segment), at) != (ssize_t)sizeof(segment))
			return false;
		if (segment.p_type == PT_INTERP)
			return true;
	}
	return false;
}

static enum status check_elf(const char *path, int fd, const unsigned char *head, size_t size, struct error *err)
{
	Elf64_Ehdr header;
	if (size < sizeof(header))
		return STATUS_OK; /* the kernel will say what is wrong with it */
	memcpy(&header, head, sizeof(header));
	if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64)
		return error_set(err, STATUS_UNSUPPORTED, "%s is no x86-64 program: libcpprof cannot be loaded there", path);
	if (!has_interpreter(fd, &header))
		return error_set(err, STATUS_UNSUPPORTED,
		                 "%s is statically linked, so nothing can be preloaded: link it with libcpprof.a", path);
	return STATUS_OK;
}

/* "#!/usr/bin/env python3": the first word. NULL if the file is no script. */
static char *script_interpreter(const unsigned char *head, size_t size)
{
	struct str line = { (const char *)head, size };
	if (!str_starts_with(line, STR_LITERAL("#!")))
		return NULL;
	line = str_from(line, 2);
	while (line.length && (*line.data == ' ' || *line.data == '\t'))
		line = str_from(line, 1);
	size_t length = 0;
	while (length < line.length && line.data[length] && !strchr(" \t\r\n", line.data[length]))
		length++;
	return xstrndup(line.data, length);
}

/* One file; *ret_next is the interpreter to look at next, or NULL. */
static enum status check_file(const char *path, char **ret_next, struct error *err)
{
	unsigned char head[HEAD_SIZE];
	*ret_next = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return STATUS_OK; /* it may be executed without being readable */
	ssize_t got = read(fd, head, sizeof(head));
	size_t size = got > 0 ? (size_t)got : 0;
	enum status status = STATUS_OK;
	if (size >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0)
		status = check_elf(path, fd, head, size, err);
	else
		*ret_next = script_interpreter(head, size);
	close(fd);
	return status;
}

enum status run_target_check(const char *path, struct error *err)
{
	char *file = xstrdup(path);
	enum status status = STATUS_OK;
	for (int depth = 0; file && status == STATUS_OK && depth < INTERPRETERS_MAX; depth++) {
		char *next = NULL;
		bool is_script = false;
		status = check_file(file, &next, err);
		is_script = next != NULL;
		if (status == STATUS_OK && !is_script && runs_secure(file))
			status = error_set(err, STATUS_UNSUPPORTED,
			                   "%s runs with another user's rights (setuid, setgid or capabilities), where nothing is "
			                   "preloaded: run it as that user, or link it with -lcpprof and call cpprof_serve()",
			                   file);
		free(file);
		file = next;
	}
	free(file);
	return status;
}
