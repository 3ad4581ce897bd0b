/* str.c - the helpers of str.h that are too long to be inline. */
#include "base/str.h"

struct str str_base_name(struct str path)
{
	if (path.length == 0)
		return STR_LITERAL(".");
	while (path.length > 0 && path.data[path.length - 1] == '/')
		path.length--;
	for (size_t i = path.length; i > 0; i--) {
		if (path.data[i - 1] == '/') {
			path = str_from(path, i);
			break;
		}
	}
	return path.length ? path : STR_LITERAL("/");
}
