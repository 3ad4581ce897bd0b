/* path.c - clean file names among the strings of a profile. */
#include "graph/path.h"

#include "base/path.h"

/* Does the path need cleaning at all? Most do not. */
static bool is_clean(struct str path)
{
	bool at_start = true;
	for (size_t i = 0; i < path.length; i++) {
		char c = path.data[i];
		if (at_start && i > 0 && c == '/')
			return false;
		if (at_start && c == '.')
			return false; /* ".", ".." or a dot file: the slow way decides */
		at_start = c == '/';
	}
	return path.length > 0 && !(path.length > 1 && path.data[path.length - 1] == '/');
}

uint32_t path_clean_intern(struct profile *profile, uint32_t path)
{
	struct str text = profile_str(profile, path);
	if (is_clean(text))
		return path;
	struct buffer clean;
	buffer_init(&clean, BUFFER_UNLIMITED);
	path_clean(text, &clean);
	uint32_t string_ix = profile_intern(profile, buffer_str(&clean));
	buffer_release(&clean);
	return string_ix;
}
