/* legacy_text.h - lines, blanks and numbers as Go's bufio, strings, regexp and strconv see them. Internal to legacy*.c. */
#ifndef CPPROF_PROFILE_LEGACY_TEXT_H
#define CPPROF_PROFILE_LEGACY_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* Longest line that is accepted, less one for its end. */
#define LINE_CEILING ((size_t)64 * 1024)

/* Reads lines as a bufio.Scanner does, down to what it says after a failure: a line too long stops it, but being asked
 * again it gives what it had buffered of that line as its last. */
struct line_scanner {
	struct str left;
	struct str line; /* without "\n" or "\r\n"; empty after the end */
	bool too_long;
};

void scanner_init(struct line_scanner *lines, struct str text);
/* The next line; false at the end or when it is too long. */
bool scanner_next(struct line_scanner *lines);

static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* What \s means in a regular expression of Go. */
static inline bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

/* Without the white space of Unicode at both ends. */
struct str text_trim(struct str text);
/* Nothing but white space, or a comment that starts with '#'. */
bool text_is_comment(struct str line);
bool text_contains(struct str text, struct str part);
/* Where `part` begins in `text` at or behind `from`; text.length if nowhere. */
size_t text_find(struct str text, size_t from, struct str part);
static inline struct str text_cut(struct str text, size_t start, size_t end)
{
	return (struct str){ text.data + start, end - start };
}

/* Each of these looks at text[at], and returns where what it names ends: `at` itself if there is none of it. */
size_t skip_char(struct str text, size_t at, char wanted); /* a run of that character */
size_t skip_digits(struct str text, size_t at);
size_t skip_hex(struct str text, size_t at);    /* of either case */
size_t skip_blanks(struct str text, size_t at); /* as is_blank */
size_t skip_nonblanks(struct str text, size_t at);
size_t skip_addresses(struct str text, size_t at); /* [ x0-9a-f] */

/* Finds the next 0x... with lower-case digits at or behind *at; moves *at behind it. */
bool next_hex_number(struct str text, size_t *at, struct str *ret_number);

enum number_result {
	NUMBER_OK,
	NUMBER_SYNTAX,
	NUMBER_RANGE,
};

/* Numbers as strconv reads them. Base 0: 0x, 0o, 0b and 0 are prefixes, and underscores may stand between digits. */
enum number_result parse_uint(struct str text, unsigned base, uint64_t *ret_value);
enum number_result parse_int(struct str text, unsigned base, int64_t *ret_value);

#endif
