/* parse_char.c - escapes and bracket classes of a pattern. */
#include "regexp/parser.h"

#include "base/utf8.h"

#define INVALID_ESCAPE "invalid escape sequence"
#define INVALID_RANGE "invalid character class range"

/* --- escapes that stand for one character -------------------------------------------------------------------------- */

static int hex_digit(uint32_t character)
{
	if (character >= '0' && character <= '9')
		return (int)character - '0';
	if (character >= 'a' && character <= 'f')
		return (int)character - 'a' + 10;
	if (character >= 'A' && character <= 'F')
		return (int)character - 'A' + 10;
	return -1;
}

static bool is_octal(struct str text)
{
	return text.length > 0 && text.data[0] >= '0' && text.data[0] <= '7';
}

/* Up to three digits, of which the first is taken already. */
static uint32_t parse_octal(struct parser *parser, uint32_t first)
{
	uint32_t value = first - '0';
	for (int i = 1; i < 3 && is_octal(parser->rest); i++) {
		value = value * 8 + (uint32_t)(parser->rest.data[0] - '0');
		parser_skip(parser, 1);
	}
	return value;
}

/* After "\x{". */
static bool parse_braced_hex(struct parser *parser, const char *start, uint32_t *ret_character)
{
	uint32_t value = 0, character;
	for (bool any = false; parser->rest.length > 0; any = true) {
		if (!parser_next(parser, &parser->rest, &character))
			return false;
		if (character == '}' && any) {
			*ret_character = value;
			return true;
		}
		int digit = hex_digit(character);
		if (digit < 0)
			break;
		value = value * 16 + (uint32_t)digit;
		if (value > CODE_POINT_MAX)
			break;
	}
	return parser_fail_from(parser, INVALID_ESCAPE, start);
}

/* After "\x". */
static bool parse_hex(struct parser *parser, const char *start, uint32_t *ret_character)
{
	uint32_t high, low;
	if (parser->rest.length == 0)
		return parser_fail_from(parser, INVALID_ESCAPE, start);
	if (!parser_next(parser, &parser->rest, &high))
		return false;
	if (high == '{')
		return parse_braced_hex(parser, start, ret_character);
	if (!parser_next(parser, &parser->rest, &low))
		return false;
	if (hex_digit(high) < 0 || hex_digit(low) < 0)
		return parser_fail_from(parser, INVALID_ESCAPE, start);
	*ret_character = (uint32_t)(hex_digit(high) * 16 + hex_digit(low));
	return true;
}

static bool is_letter_or_digit(uint32_t character)
{
	return (character >= '0' && character <= '9') || (character >= 'A' && character <= 'Z') ||
	       (character >= 'a' && character <= 'z');
}

bool parse_escape(struct parser *parser, uint32_t *ret_character)
{
	static const char letters[] = "afnrtv", meanings[] = "\a\f\n\r\t\v";
	const char *start = parser->rest.data;
	parser_skip(parser, 1);
	if (parser->rest.length == 0)
		return parser_fail(parser, "trailing backslash at end of expression", STR_LITERAL(""));
	uint32_t character;
	if (!parser_next(parser, &parser->rest, &character))
		return false;
	if (character == 'x')
		return parse_hex(parser, start, ret_character);
	/* A single digit other than 0 would be a back-reference. */
	if (character == '0' || (character >= '1' && character <= '7' && is_octal(parser->rest))) {
		*ret_character = parse_octal(parser, character);
		return true;
	}
	if (character < 0x80 && !is_letter_or_digit(character)) {
		*ret_character = character;
		return true;
	}
	const char *letter = character < 0x80 ? strchr(letters, (int)character) : NULL;
	if (!letter)
		return parser_fail_from(parser, INVALID_ESCAPE, start);
	*ret_character = (uint32_t)meanings[letter - letters];
	return true;
}

/* --- named groups of characters ------------------------------------------------------------------------------------ */

/* Ranges of ASCII: the first and the last of each. */
struct group {
	const char *name;
	struct str pairs;
};

static const struct group posix_groups[] = {
	{ "alnum", { "09AZaz", 6 } },
	{ "alpha", { "AZaz", 4 } },
	{ "ascii", { "\0\x7F", 2 } },
	{ "blank", { "\t\t  ", 4 } },
	{ "cntrl", { "\0\x1F\x7F\x7F", 4 } },
	{ "digit", { "09", 2 } },
	{ "graph", { "!~", 2 } },
	{ "lower", { "az", 2 } },
	{ "print", { " ~", 2 } },
	{ "punct", { "!/:@[`{~", 8 } },
	{ "space", { "\t\r  ", 4 } },
	{ "upper", { "AZ", 2 } },
	{ "word", { "09AZ__az", 8 } },
	{ "xdigit", { "09AFaf", 6 } },
};

static const struct group perl_groups[] = {
	{ "d", { "09", 2 } },
	{ "s", { "\t\n\f\r  ", 6 } },
	{ "w", { "09AZ__az", 8 } },
};

/* Classes with names are made once in a pattern: this is the name that one has in parser->classes. `id` is that of a
 * Unicode class, or GROUP_NAMES and more. */
static uint64_t class_name(const struct parser *parser, uint64_t id, bool negated)
{
	return id << 2 | (parser->flags & FLAG_FOLD ? 2u : 0) | negated;
}

#define GROUP_NAMES ((uint64_t)1 << UNICODE_CLASS_BITS)
#define PERL_NAMES (GROUP_NAMES + 100)

/* parser->scratch, which is clean, or its complement, gets the name. */
static struct shared_class *name_scratch(struct parser *parser, uint64_t name, bool negated)
{
	if (negated)
		char_class_negate(&parser->scratch);
	return class_table_name(&parser->classes, name, &parser->scratch);
}

static struct shared_class *group_class(struct parser *parser, uint64_t id, const struct group *group, bool negated)
{
	uint64_t name = class_name(parser, id, negated);
	struct shared_class *shared = class_table_named(&parser->classes, name);
	if (shared)
		return shared;
	struct char_class *class = &parser->scratch;
	class->count = 0;
	for (size_t i = 0; i < group->pairs.length; i += 2)
		char_class_add(class, (uint32_t)group->pairs.data[i], (uint32_t)group->pairs.data[i + 1]);
	if (parser->flags & FLAG_FOLD)
		char_class_fold(class);
	return name_scratch(parser, name, negated);
}

static struct shared_class *unicode_class(struct parser *parser, uint64_t id, bool negated)
{
	uint64_t name = class_name(parser, id, negated);
	struct shared_class *shared = class_table_named(&parser->classes, name);
	if (shared)
		return shared;
	parser->scratch.count = 0;
	unicode_class_add(&parser->scratch, id, parser->flags & FLAG_FOLD);
	return name_scratch(parser, name, negated);
}

static const struct group *find_group(const struct group *groups, size_t count, struct str name)
{
	for (size_t i = 0; i < count; i++) {
		if (str_equal(str_of(groups[i].name), name))
			return &groups[i];
	}
	return NULL;
}

/* "[:alpha:]" or "[:^alpha:]" within brackets. Without ":]" further on, it is none. */
static bool parse_posix_group(struct parser *parser, struct shared_class **ret_class)
{
	struct str rest = parser->rest;
	if (parser->no_group_end || rest.length <= 2 || !str_starts_with(rest, STR_LITERAL("[:")))
		return true;
	const char *end = memmem(rest.data + 2, rest.length - 2, ":]", 2);
	if (!end) {
		/* Nor does one follow any later "[:", of which there may be many. */
		parser->no_group_end = true;
		return true;
	}
	struct str name = { rest.data + 2, (size_t)(end - rest.data) - 2 };
	parser_skip(parser, name.length + 4);
	bool negated = name.length > 0 && name.data[0] == '^';
	if (negated)
		name = str_from(name, 1);
	const struct group *group = find_group(posix_groups, sizeof(posix_groups) / sizeof(posix_groups[0]), name);
	if (!group)
		return parser_fail_from(parser, INVALID_RANGE, rest.data);
	*ret_class = group_class(parser, GROUP_NAMES + (uint64_t)(group - posix_groups), group, negated);
	return true;
}

/* The name in \pN, \p{Name} or \p{^Name}, after which the rest begins. */
static bool parse_unicode_name(struct parser *parser, struct str *ret_name)
{
	struct str whole = parser->rest, after = str_from(whole, 2);
	uint32_t character;
	if (!parser_next(parser, &after, &character))
		return false;
	if (character != '{') {
		*ret_name = (struct str){ whole.data + 2, (size_t)(after.data - whole.data) - 2 };
		parser->rest = after;
		return true;
	}
	const char *end = memchr(whole.data, '}', whole.length);
	if (!end)
		return parser_check_utf8(parser, whole) && parser_fail(parser, INVALID_RANGE, whole);
	*ret_name = (struct str){ whole.data + 3, (size_t)(end - whole.data) - 3 };
	parser_skip(parser, ret_name->length + 4);
	return parser_check_utf8(parser, *ret_name);
}

static bool parse_unicode_class(struct parser *parser, struct shared_class **ret_class)
{
	const char *start = parser->rest.data;
	bool negated = start[1] == 'P';
	struct str name = STR_LITERAL("");
	if (!parse_unicode_name(parser, &name))
		return false;
	if (name.length > 0 && name.data[0] == '^') {
		negated = !negated;
		name = str_from(name, 1);
	}
	uint64_t id = unicode_class_find(name);
	if (!id)
		return parser_fail_from(parser, INVALID_RANGE, start);
	*ret_class = unicode_class(parser, id, negated);
	return true;
}

bool parse_class_escape(struct parser *parser, struct shared_class **ret_class)
{
	struct str rest = parser->rest;
	if (rest.length < 2 || rest.data[0] != '\\')
		return true;
	if (rest.data[1] == 'p' || rest.data[1] == 'P')
		return parse_unicode_class(parser, ret_class);
	bool negated = rest.data[1] == 'D' || rest.data[1] == 'S' || rest.data[1] == 'W';
	char name = (char)(negated ? rest.data[1] - 'A' + 'a' : rest.data[1]);
	const struct group *group =
			find_group(perl_groups, sizeof(perl_groups) / sizeof(perl_groups[0]), (struct str){ &name, 1 });
	if (!group)
		return true;
	parser_skip(parser, 2);
	*ret_class = group_class(parser, PERL_NAMES + (uint64_t)(group - perl_groups), group, negated);
	return true;
}

/* --- bracket classes ----------------------------------------------------------------------------------------------- */

/* One character of a class that began with `whole`. */
static bool parse_class_character(struct parser *parser, struct str whole, uint32_t *ret_character)
{
	if (parser->rest.length == 0)
		return parser_fail(parser, "missing closing ]", whole);
	if (parser->rest.data[0] == '\\')
		return parse_escape(parser, ret_character);
	return parser_next(parser, &parser->rest, ret_character);
}

/* "a" or "a-z"; a '-' before the closing bracket is itself. */
static bool parse_class_range(struct parser *parser, struct str whole)
{
	const char *start = parser->rest.data;
	uint32_t low = 0;
	if (!parse_class_character(parser, whole, &low))
		return false;
	uint32_t high = low;
	struct str rest = parser->rest;
	if (rest.length >= 2 && rest.data[0] == '-' && rest.data[1] != ']') {
		parser_skip(parser, 1);
		if (!parse_class_character(parser, whole, &high))
			return false;
		if (high < low)
			return parser_fail_from(parser, INVALID_RANGE, start);
	}
	char_class_add(parser->flags & FLAG_FOLD ? &parser->to_fold : &parser->class, low, high);
	return true;
}

/* Folding goes through all that a range has inside, so ranges that overlap must be one before. */
static void add_folded_ranges(struct parser *parser)
{
	if (parser->to_fold.count == 0)
		return;
	char_class_clean(&parser->to_fold);
	char_class_fold(&parser->to_fold);
	char_class_add_ranges(&parser->class, parser->to_fold.ranges, parser->to_fold.count);
}

bool parse_bracket_class(struct parser *parser, struct shared_class **ret_class)
{
	struct str whole = parser->rest;
	uint64_t number = ++parser->built_count;
	parser->class.count = parser->to_fold.count = 0;
	parser_skip(parser, 1);
	bool negated = parser->rest.length > 0 && parser->rest.data[0] == '^';
	if (negated)
		parser_skip(parser, 1);
	/* A ']' that comes first is a member. */
	for (bool first = true; first || parser->rest.length == 0 || parser->rest.data[0] != ']'; first = false) {
		struct shared_class *named = NULL;
		if (!parse_posix_group(parser, &named) || (!named && !parse_class_escape(parser, &named)))
			return false;
		if (named)
			add_shared(&parser->class, number, named);
		else if (!parse_class_range(parser, whole))
			return false;
	}
	parser_skip(parser, 1);
	add_folded_ranges(parser);
	char_class_clean(&parser->class);
	if (negated)
		char_class_negate(&parser->class);
	*ret_class = class_table_intern(&parser->classes, &parser->class);
	return true;
}
