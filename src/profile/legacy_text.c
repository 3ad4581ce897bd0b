/* legacy_text.c - lines, blanks and numbers as Go sees them; the grammars are in the other legacy files. */
#include "profile/legacy_text.h"

void scanner_init(struct line_scanner *lines, struct str text)
{
	*lines = (struct line_scanner){ .left = text, .line = STR_LITERAL("") };
}

/* Makes the first `length` bytes of what is left the line, and takes `taken` bytes away. */
static bool give_line(struct line_scanner *lines, size_t length, size_t taken)
{
	lines->line = (struct str){ lines->left.data, length };
	if (length > 0 && lines->line.data[length - 1] == '\r')
		lines->line.length--;
	lines->left = str_from(lines->left, taken);
	return true;
}

bool scanner_next(struct line_scanner *lines)
{
	struct str left = lines->left;
	lines->line = STR_LITERAL("");
	if (left.length == 0)
		return false;
	size_t window = left.length < LINE_CEILING ? left.length : LINE_CEILING;
	if (lines->too_long) {
		give_line(lines, window, left.length);
		return true;
	}
	const char *end = memchr(left.data, '\n', window);
	if (end)
		return give_line(lines, (size_t)(end - left.data), (size_t)(end - left.data) + 1);
	if (window < LINE_CEILING)
		return give_line(lines, window, window);
	lines->too_long = true;
	return false;
}

/* Bytes of the white space character that `text` begins with; 0 if it begins with another. */
static size_t space_at(struct str text)
{
	const unsigned char *c = (const unsigned char *)text.data;
	if (text.length == 0)
		return 0;
	if (c[0] == ' ' || (c[0] >= '\t' && c[0] <= '\r'))
		return 1;
	if (text.length >= 2 && c[0] == 0xC2)
		return c[1] == 0x85 || c[1] == 0xA0 ? 2 : 0;
	if (text.length < 3)
		return 0;
	uint32_t three = (uint32_t)c[0] << 16 | (uint32_t)c[1] << 8 | c[2];
	bool is_space = three == 0xE19A80 || (three >= 0xE28080 && three <= 0xE2808A) || three == 0xE280A8 ||
	                three == 0xE280A9 || three == 0xE280AF || three == 0xE2819F || three == 0xE38080;
	return is_space ? 3 : 0;
}

struct str text_trim(struct str text)
{
	for (size_t size; (size = space_at(text)) > 0;)
		text = str_from(text, size);
	for (;;) {
		size_t size = 0;
		for (size_t tail = 1; tail <= 3 && tail <= text.length && size == 0; tail++) {
			if (space_at(str_from(text, text.length - tail)) == tail)
				size = tail;
		}
		if (size == 0)
			return text;
		text.length -= size;
	}
}

bool text_is_comment(struct str line)
{
	struct str trimmed = text_trim(line);
	return trimmed.length == 0 || trimmed.data[0] == '#';
}

size_t text_find(struct str text, size_t from, struct str part)
{
	const char *found = memmem(text.data + from, text.length - from, part.data, part.length);
	return found ? (size_t)(found - text.data) : text.length;
}

bool text_contains(struct str text, struct str part)
{
	return memmem(text.data, text.length, part.data, part.length) != NULL;
}

#define SKIP_WHILE(condition) \
	while (at < text.length) { \
		char c = text.data[at]; \
		if (!(condition)) \
			break; \
		at++; \
	} \
	return at

size_t skip_char(struct str text, size_t at, char wanted)
{
	SKIP_WHILE(c == wanted);
}

size_t skip_digits(struct str text, size_t at)
{
	SKIP_WHILE(is_digit(c));
}

size_t skip_hex(struct str text, size_t at)
{
	SKIP_WHILE(is_hex(c));
}

size_t skip_blanks(struct str text, size_t at)
{
	SKIP_WHILE(is_blank(c));
}

size_t skip_nonblanks(struct str text, size_t at)
{
	SKIP_WHILE(!is_blank(c));
}

static bool is_lower_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f');
}

size_t skip_addresses(struct str text, size_t at)
{
	SKIP_WHILE(c == ' ' || c == 'x' || is_lower_hex(c));
}

static size_t skip_lower_hex(struct str text, size_t at)
{
	SKIP_WHILE(is_lower_hex(c));
}

bool next_hex_number(struct str text, size_t *at, struct str *ret_number)
{
	while (*at < text.length) {
		const char *x = memchr(text.data + *at, 'x', text.length - *at);
		if (!x)
			break;
		size_t digits = (size_t)(x - text.data) + 1;
		size_t end = skip_lower_hex(text, digits);
		bool has_zero = digits - 1 > *at && x[-1] == '0';
		if (has_zero && end > digits) {
			*ret_number = text_cut(text, digits - 2, end);
			*at = end;
			return true;
		}
		/* The digit before the next 'x' may be its zero, so only the 'x' is left behind. */
		*at = digits;
	}
	return false;
}

static unsigned digit_value(char c)
{
	if (is_digit(c))
		return (unsigned)(c - '0');
	char lower = (char)(c | 0x20);
	return lower >= 'a' && lower <= 'z' ? (unsigned)(lower - 'a') + 10 : 255;
}

/* Takes the prefix of a number away that says its base; an octal number's zero is one. */
static unsigned take_base(struct str *text)
{
	if (text->length == 0 || text->data[0] != '0')
		return 10;
	char letter = (char)(text->length >= 3 ? text->data[1] | 0x20 : 0);
	unsigned base = letter == 'b' ? 2 : letter == 'o' ? 8 : letter == 'x' ? 16 : 0;
	*text = str_from(*text, base ? 2 : 1);
	return base ? base : 8;
}

/* In a number that is otherwise well-formed, each underscore must stand between digits or behind the prefix. */
static bool underscores_fit(struct str text)
{
	return text.data[0] != '_' && text.data[text.length - 1] != '_' && !text_contains(text, STR_LITERAL("__"));
}

enum number_result parse_uint(struct str text, unsigned base, uint64_t *ret_value)
{
	if (text.length == 0)
		return NUMBER_SYNTAX;
	struct str digits = text;
	bool any_base = base == 0, has_underscore = false;
	if (any_base)
		base = take_base(&digits);
	uint64_t value = 0;
	for (size_t i = 0; i < digits.length; i++) {
		if (digits.data[i] == '_' && any_base) {
			has_underscore = true;
			continue;
		}
		unsigned digit = digit_value(digits.data[i]);
		if (digit >= base)
			return NUMBER_SYNTAX;
		if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
		    __builtin_add_overflow(value, (uint64_t)digit, &value))
			return NUMBER_RANGE;
	}
	if (has_underscore && !underscores_fit(text))
		return NUMBER_SYNTAX;
	*ret_value = value;
	return NUMBER_OK;
}

enum number_result parse_int(struct str text, unsigned base, int64_t *ret_value)
{
	bool negative = text.length > 0 && text.data[0] == '-';
	if (negative || (text.length > 0 && text.data[0] == '+'))
		text = str_from(text, 1);
	uint64_t magnitude;
	enum number_result result = parse_uint(text, base, &magnitude);
	if (result != NUMBER_OK)
		return result;
	if (magnitude > (uint64_t)INT64_MAX + negative)
		return NUMBER_RANGE;
	*ret_value = (int64_t)(negative ? 0 - magnitude : magnitude);
	return NUMBER_OK;
}
