/* path.h - file names as reports compare and show them. Touches no file system. */
#ifndef CPPROF_GRAPH_PATH_H
#define CPPROF_GRAPH_PATH_H

#include "profile/profile.h"

/* Appends the shortest equal path: no "//", no ".", no "x/..", as Go's filepath.Clean. */
void path_clean(struct str path, struct buffer *to);
/* The same on a string of the profile. */
uint32_t path_clean_intern(struct profile *profile, uint32_t path);

/* Cuts prefixes that mean nothing on this machine. Without `trim_path` (a ':'-separated list of prefixes): everything through
 * "/BASE/" where BASE is the last part of a directory in `search_path` (':'-separated). Then the prefixes of `trim_path`
 * and "/proc/self/cwd/". A view into `path`. */
struct str path_trim(struct str path, struct str trim_path, struct str search_path);

/* The next part of a ':'-separated list; false at its end. An empty list has no parts. */
bool path_list_next(struct str *list, struct str *ret_part);

#endif
