/* helper_answer.c - the reader of the answer. */
#include "runtime/collect/helper_answer.h"

#include <string.h>

#include "runtime/shared/region.h"

#define LINES_MAX 128u

struct reader {
	char *at, *end;
};

/* The next line, its newline made a zero byte; NULL at the end, or where a zero byte hides in it. */
static char *next_line(struct reader *reader)
{
	char *line = reader->at;
	char *newline = line < reader->end ? memchr(line, '\n', (size_t)(reader->end - line)) : NULL;
	if (!newline)
		return NULL;
	*newline = '\0';
	reader->at = newline + 1;
	return strlen(line) == (size_t)(newline - line) ? line : NULL;
}

/* A number up to `follows`, which is stepped over. */
static bool take_number(char **at, unsigned base, char follows, uint64_t *ret_value)
{
	uint64_t value = 0;
	char *digit = *at;
	for (;; digit++) {
		unsigned one = *digit >= '0' && *digit <= '9'   ? (unsigned)(*digit - '0')
		               : *digit >= 'a' && *digit <= 'f' ? (unsigned)(*digit - 'a') + 10
		                                                : 16;
		if (one >= base)
			break;
		if (value > (UINT64_MAX - one) / base)
			return false;
		value = value * base + one;
	}
	if (digit == *at || *digit != follows)
		return false;
	*at = digit + (follows != '\0');
	*ret_value = value;
	return true;
}

/* A text up to a tab or the end. */
static char *take_text(char **at)
{
	char *text = *at, *tab = strchr(text, '\t');
	*at = tab ? tab + 1 : text + strlen(text);
	if (tab)
		*tab = '\0';
	return text;
}

/* "l LINE START_LINE NAME<tab>SYSTEM_NAME<tab>FILE" */
static bool read_frame(char *line, struct name_line *ret_line)
{
	uint64_t number, start;
	if (!line || strncmp(line, "l ", 2) != 0)
		return false;
	line += 2;
	if (!take_number(&line, 10, ' ', &number) || !take_number(&line, 10, ' ', &start) || number > UINT32_MAX ||
	    start > UINT32_MAX)
		return false;
	ret_line->line = (uint32_t)number;
	ret_line->start_line = (uint32_t)start;
	ret_line->function = take_text(&line);
	ret_line->system_name = take_text(&line);
	const char *file = take_text(&line);
	ret_line->file = *file ? file : NULL;
	if (!*ret_line->system_name)
		ret_line->system_name = ret_line->function;
	return *ret_line->function != '\0';
}

static struct helper_query *find_query(struct helper_query *queries, size_t count, uint64_t address)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (queries[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && queries[low].address == address ? &queries[low] : NULL;
}

/* "a ADDRESS FRAMES", and as many frames. */
static bool read_address(struct reader *reader, char *line, struct helper_query *queries, size_t count)
{
	uint64_t address, frames;
	if (strncmp(line, "a ", 2) != 0)
		return false;
	line += 2;
	if (!take_number(&line, 16, ' ', &address) || !take_number(&line, 10, '\0', &frames) || frames > LINES_MAX)
		return false;
	struct helper_query *query = find_query(queries, count, address);
	if (!query)
		return false;
	struct name_line *lines = work_alloc_array(frames, sizeof(*lines));
	for (uint64_t i = 0; i < frames; i++) {
		if (!read_frame(next_line(reader), &lines[i]))
			return false;
	}
	query->answer = (struct name){ .lines = lines, .line_count = (uint32_t)frames };
	return true;
}

bool helper_answer_read(char *text, size_t length, struct helper_query *queries, size_t count)
{
	static const char greeting[] = HELPER_GREETING;
	struct reader reader = { text, text + length };
	if (length < sizeof(greeting) - 1 || memcmp(text, greeting, sizeof(greeting) - 1) != 0)
		return false;
	reader.at += sizeof(greeting) - 1;
	for (char *line; (line = next_line(&reader));) {
		if (strcmp(line, "end") == 0)
			return reader.at == reader.end;
		if (!read_address(&reader, line, queries, count))
			return false;
	}
	return false;
}
