/* path.h - file names as text: nothing here touches a file system. */
#ifndef CPPROF_BASE_PATH_H
#define CPPROF_BASE_PATH_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/str.h"

/* Appends the shortest equal path: no "//", no ".", no "x/..", as Go's filepath.Clean. */
void path_clean(struct str path, struct buffer *to);
/* The parts that are not empty joined by '/', and cleaned, as Go's filepath.Join (but "." for nothing). The caller frees it. */
char *path_join(const struct str parts[], size_t count);

/* Cuts prefixes that mean nothing on this machine. Without `trim_path` (a ':'-separated list of prefixes): everything through
 * "/BASE/" where BASE is the last part of a directory in `search_path` (':'-separated). Then the prefixes of `trim_path`
 * and "/proc/self/cwd/". A view into `path`. */
struct str path_trim(struct str path, struct str trim_path, struct str search_path);

/* The next part of a ':'-separated list; false at its end. An empty list has no parts. */
bool path_list_next(struct str *list, struct str *ret_part);

#endif
