/* file.h - sources that are files: regular ones, pipes, devices. */
#ifndef CPPROF_FETCH_FILE_H
#define CPPROF_FETCH_FILE_H

#include "base/buffer.h"
#include "base/status.h"
#include "fetch/fetch.h"

/* Appends the content of the file, within the buffer's ceiling. */
enum status file_read(const char *path, struct buffer *to, struct error *err) CPPROF_MUST_USE;
/* Writes all the bytes; `path` is for the error. */
enum status file_write_fd(int fd, const char *path, struct str bytes, struct error *err) CPPROF_MUST_USE;

/* $TMPDIR, or /tmp. */
const char *file_temp_directory(void);
/* Opens a new file DIRECTORY/PREFIX (in the current directory for "") + three-digit counter + SUFFIX, the counter being the first that is free from 001 to
 * 9999. The caller closes the descriptor and frees *ret_path. */
enum status file_create_numbered(const char *directory, const char *prefix, const char *suffix, int *ret_fd,
                                 char **ret_path, struct error *err) CPPROF_MUST_USE;

/* True for a regular file that `perf record` has written. */
bool perf_file_detect(const char *path);
/* Converts such a file by perf_to_profile, and appends the profile to *to. */
enum status perf_file_convert(const char *path, const struct fetch_options *options, struct buffer *to,
                              struct error *err) CPPROF_MUST_USE;

#endif
