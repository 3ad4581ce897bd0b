/* path.c - cleaning, joining and trimming of file names. */
#include "base/path.h"

/* Removes the last part that was written, unless that is ".." or nothing. */
static bool drop_last_part(struct buffer *to, size_t start, size_t floor)
{
	if (to->length <= floor)
		return false;
	struct str written = str_from(buffer_str(to), start);
	if (str_equal(written, STR_LITERAL("..")) || str_ends_with(written, STR_LITERAL("/..")))
		return false;
	size_t at = to->length;
	while (at > floor && to->data[at - 1] != '/')
		at--;
	to->length = at > floor ? at - 1 : floor;
	return true;
}

void path_clean(struct str path, struct buffer *to)
{
	size_t start = to->length;
	bool rooted = path.length > 0 && path.data[0] == '/';
	if (rooted)
		buffer_append_char(to, '/');
	size_t floor = to->length;
	for (size_t i = 0; i < path.length;) {
		size_t end = i;
		while (end < path.length && path.data[end] != '/')
			end++;
		struct str part = { path.data + i, end - i };
		i = end + 1;
		if (part.length == 0 || str_equal(part, STR_LITERAL(".")))
			continue;
		if (str_equal(part, STR_LITERAL("..")) && (drop_last_part(to, start, floor) || rooted))
			continue;
		if (to->length > floor)
			buffer_append_char(to, '/');
		buffer_append_str(to, part);
	}
	if (to->length == start)
		buffer_append_char(to, '.');
}

char *path_join(const struct str parts[], size_t count)
{
	struct buffer joined, clean;
	buffer_init(&joined, BUFFER_UNLIMITED);
	buffer_init(&clean, BUFFER_UNLIMITED);
	for (size_t i = 0; i < count; i++) {
		if (parts[i].length == 0)
			continue;
		if (joined.length)
			buffer_append_char(&joined, '/');
		buffer_append_str(&joined, parts[i]);
	}
	path_clean(buffer_str(&joined), &clean);
	buffer_release(&joined);
	return buffer_take(&clean, NULL);
}

/* What is left of a list that ends in ':': one empty part, which an empty list does not have. */
static const char last_part_is_empty[] = "";

bool path_list_next(struct str *list, struct str *ret_part)
{
	if (list->length == 0 && list->data != last_part_is_empty)
		return false;
	size_t end = 0;
	while (end < list->length && list->data[end] != ':')
		end++;
	*ret_part = (struct str){ list->data, end };
	if (end + 1 < list->length)
		*list = str_from(*list, end + 1);
	else
		*list = (struct str){ end < list->length ? last_part_is_empty : NULL, 0 };
	return true;
}

/* Where "/BASE/" stands in the path, or path.length. */
static size_t find_between_slashes(struct str path, struct str base)
{
	for (size_t i = 0; i + base.length + 2 <= path.length; i++) {
		if (path.data[i] == '/' && path.data[i + base.length + 1] == '/' &&
		    memcmp(path.data + i + 1, base.data, base.length) == 0)
			return i;
	}
	return path.length;
}

static bool cut_prefix(struct str *path, struct str prefix)
{
	bool has_slash = prefix.length > 0 && prefix.data[prefix.length - 1] == '/';
	size_t cut = prefix.length + !has_slash;
	if (path->length < cut || memcmp(path->data, prefix.data, prefix.length) != 0 || path->data[cut - 1] != '/')
		return false;
	*path = str_from(*path, cut);
	return true;
}

struct str path_trim(struct str path, struct str trim_path, struct str search_path)
{
	struct str part;
	if (trim_path.length == 0 && search_path.length > 0) {
		while (path_list_next(&search_path, &part)) {
			struct str base = str_base_name(part);
			size_t found = find_between_slashes(path, base);
			if (found < path.length)
				return str_from(path, found + base.length + 2);
		}
	}
	while (path_list_next(&trim_path, &part)) {
		if (cut_prefix(&path, part))
			return path;
	}
	if (!cut_prefix(&path, STR_LITERAL("/proc/self/cwd/./")))
		cut_prefix(&path, STR_LITERAL("/proc/self/cwd/"));
	return path;
}
