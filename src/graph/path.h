/* path.h - clean file names among the strings of a profile: two spellings of one file are one node. */
#ifndef CPPROF_GRAPH_PATH_H
#define CPPROF_GRAPH_PATH_H

#include "profile/profile.h"

/* The string without "//", "." and "x/.." (base/path.h), added to the profile if it is new. */
uint32_t path_clean_intern(struct profile *profile, uint32_t path);

#endif
