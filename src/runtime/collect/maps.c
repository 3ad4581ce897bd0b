/* maps.c - one line of /proc/self/maps after the other:
 *
 *     7f0c1a428000-7f0c1a5bd000 r-xp 00028000 fe:01 1835  /usr/lib/x86_64-linux-gnu/libc.so.6
 */
#include "runtime/collect/maps.h"

#include <string.h>

#include "runtime/shared/region.h"

struct cursor {
	const char *at, *end; /* of the line */
};

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* A number in `base`, and the character that must follow it. */
static bool take_number(struct cursor *line, unsigned base, char follows, uint64_t *ret_value)
{
	const char *start = line->at;
	uint64_t value = 0;
	for (; line->at < line->end; line->at++) {
		int digit = digit_of(*line->at);
		if (digit < 0 || digit >= (int)base)
			break;
		if (value > UINT64_MAX / base)
			return false;
		value = value * base + (unsigned)digit;
	}
	if (line->at == start || line->at == line->end || *line->at != follows)
		return false;
	line->at++;
	*ret_value = value;
	return true;
}

static bool take_permissions(struct cursor *line, struct map_entry *entry)
{
	if (line->end - line->at < 5 || line->at[4] != ' ')
		return false;
	entry->executable = line->at[2] == 'x';
	line->at += 5;
	return true;
}

/* The kernel writes a newline in a name as "\012", and nothing else in that way. */
static const char *take_path(struct cursor *line, bool *ret_deleted)
{
	static const char deleted[] = " (deleted)";
	while (line->at < line->end && *line->at == ' ')
		line->at++;
	size_t length = (size_t)(line->end - line->at), suffix = sizeof(deleted) - 1;
	*ret_deleted = length > suffix && memcmp(line->end - suffix, deleted, suffix) == 0;
	if (*ret_deleted)
		length -= suffix;
	if (!length)
		return "";
	char *path = work_alloc(length + 1), *to = path;
	for (const char *from = line->at, *end = from + length; from < end;) {
		bool newline = end - from >= 4 && memcmp(from, "\\012", 4) == 0;
		*to++ = newline ? '\n' : *from;
		from += newline ? 4 : 1;
	}
	*to = '\0';
	return path;
}

static bool parse_line(struct cursor line, struct map_entry *ret_entry)
{
	uint64_t major, minor;
	struct map_entry entry = { 0 };
	if (!take_number(&line, 16, '-', &entry.start) || !take_number(&line, 16, ' ', &entry.limit) ||
	    !take_permissions(&line, &entry) || !take_number(&line, 16, ' ', &entry.offset) ||
	    !take_number(&line, 16, ':', &major) || !take_number(&line, 16, ' ', &minor) || entry.start >= entry.limit)
		return false;
	/* The inode is the last field where there is no name: a blank follows it all the same in most kernels, not in all. */
	const char *inode = line.at;
	if (!take_number(&line, 10, ' ', &entry.inode)) {
		if (line.at != line.end || line.at == inode)
			return false;
		entry.inode = 0;
	}
	entry.device = major << 32 | (minor & UINT32_MAX);
	entry.path = take_path(&line, &entry.deleted);
	*ret_entry = entry;
	return true;
}

static uint32_t count_lines(const char *text, size_t length)
{
	uint32_t lines = 1;
	for (size_t i = 0; i < length && lines < UINT32_MAX; i++)
		lines += text[i] == '\n';
	return lines;
}

void maps_parse(const char *text, size_t length, struct maps *ret_maps)
{
	ret_maps->count = 0;
	ret_maps->entries = work_alloc_array(count_lines(text, length), sizeof(*ret_maps->entries));
	for (const char *at = text, *end = text + length; at < end;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		struct cursor line = { at, newline ? newline : end };
		if (parse_line(line, &ret_maps->entries[ret_maps->count]))
			ret_maps->count++;
		at = newline ? newline + 1 : end;
	}
}
