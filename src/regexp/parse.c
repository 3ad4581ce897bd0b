/* parse.c - the loop over a pattern: operators, groups, flags.
 *
 * Messages, and which part of the pattern each quotes, are Go's. Escapes and classes are in parse_char.c, the stack is
 * in operands.c.
 */
#include "regexp/parser.h"

#include "base/utf8.h"

#define REPEAT_MAX 1000

/* --- errors and characters ----------------------------------------------------------------------------------------- */

bool parser_fail(struct parser *parser, const char *reason, struct str fragment)
{
	parser->status =
			error_set(parser->err, STATUS_INVALID, "error parsing regexp: %s: `%.*s`", reason, STR_ARG(fragment));
	return false;
}

bool parser_fail_from(struct parser *parser, const char *reason, const char *start)
{
	return parser_fail(parser, reason, (struct str){ start, (size_t)(parser->rest.data - start) });
}

void parser_skip(struct parser *parser, size_t count)
{
	parser->rest = str_from(parser->rest, count);
}

bool parser_next(struct parser *parser, struct str *text, uint32_t *ret_character)
{
	*ret_character = UTF8_BAD;
	if (text->length == 0)
		return true;
	size_t size;
	uint32_t character = utf8_decode(*text, &size);
	if (character == UTF8_BAD && size == 1)
		return parser_fail(parser, "invalid UTF-8", *text);
	*text = str_from(*text, size);
	*ret_character = character;
	return true;
}

bool parser_check_utf8(struct parser *parser, struct str text)
{
	uint32_t character;
	while (text.length > 0) {
		if (!parser_next(parser, &text, &character))
			return false;
	}
	return true;
}

/* --- repetition ---------------------------------------------------------------------------------------------------- */

/* Repeats the top operand; the operator starts at `start` and ends before the rest. `previous` is where the repetition
 * begins that this one follows directly, or NULL: a** is an error, as it is in Perl. */
static bool parse_repetition(struct parser *parser, const char *start, const char *previous, enum node_op op, int min,
                             int max)
{
	if (parser->rest.length > 0 && parser->rest.data[0] == '?')
		parser_skip(parser, 1);
	if (previous)
		return parser_fail_from(parser, "invalid nested repetition operator", previous);
	if (!parser->top || is_separator(parser->top))
		return parser_fail_from(parser, "missing argument to repetition operator", start);
	if (!wrap_top(parser, op, min, max))
		return false;
	if (op == NODE_REPEAT && (min >= 2 || max >= 2) && parser->top->repeats > REPEAT_MAX)
		return parser_fail_from(parser, "invalid repeat count", start);
	parser->repetition = start;
	return true;
}

/* Digits without a leading zero. A number that is too large in any case gives -1. */
static bool take_number(struct str *text, int *ret_number)
{
	size_t length = 0;
	int number = 0;
	while (length < text->length && text->data[length] >= '0' && text->data[length] <= '9') {
		number = number < 0 || number > REPEAT_MAX ? -1 : number * 10 + (text->data[length] - '0');
		length++;
	}
	if (length == 0 || (length > 1 && text->data[0] == '0'))
		return false;
	*text = str_from(*text, length);
	*ret_number = number;
	return true;
}

static bool take_char(struct str *text, char c)
{
	if (text->length == 0 || text->data[0] != c)
		return false;
	*text = str_from(*text, 1);
	return true;
}

/* "{2}", "{2,}" or "{2,5}"; anything else is no count. Numbers are -1 where they are too large. */
static bool take_counts(struct str *text, int *ret_min, int *ret_max, bool *ret_too_large)
{
	struct str left = *text;
	int min, max;
	bool open = false;
	if (!take_char(&left, '{') || !take_number(&left, &min))
		return false;
	max = min;
	if (take_char(&left, ',')) {
		open = left.length > 0 && left.data[0] == '}';
		if (!open && !take_number(&left, &max))
			return false;
	}
	if (!take_char(&left, '}'))
		return false;
	*ret_too_large = min < 0 || min > REPEAT_MAX || max < 0 || max > REPEAT_MAX || min > max;
	*ret_min = min;
	*ret_max = open ? NODE_NO_MAX : max;
	*text = left;
	return true;
}

static bool parse_brace(struct parser *parser, const char *previous)
{
	const char *start = parser->rest.data;
	int min = 0, max = 0;
	bool too_large = false;
	if (!take_counts(&parser->rest, &min, &max, &too_large)) {
		parser_skip(parser, 1);
		return push_literal(parser, '{');
	}
	if (too_large)
		return parser_fail_from(parser, "invalid repeat count", start);
	return parse_repetition(parser, start, previous, NODE_REPEAT, min, max);
}

/* --- groups -------------------------------------------------------------------------------------------------------- */

static bool open_group(struct parser *parser, bool captures)
{
	struct node *node = node_new(parser, NODE_LEFT_PAREN);
	node->flags_before = parser->flags;
	node->captures = captures;
	return push(parser, node);
}

static bool is_group_name(struct str name)
{
	for (size_t i = 0; i < name.length; i++) {
		char c = name.data[i];
		if (!(c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')))
			return false;
	}
	return name.length > 0;
}

/* "(?P<name>" or "(?<name>", of which the first `prefix` characters are known. */
static bool parse_named_group(struct parser *parser, size_t prefix)
{
	struct str whole = parser->rest;
	const char *end = memchr(whole.data, '>', whole.length);
	if (!end)
		return parser_check_utf8(parser, whole) && parser_fail(parser, "invalid named capture", whole);
	struct str name = { whole.data + prefix, (size_t)(end - whole.data) - prefix };
	if (!parser_check_utf8(parser, name))
		return false;
	parser_skip(parser, prefix + name.length + 1);
	if (!is_group_name(name))
		return parser_fail_from(parser, "invalid named capture", whole.data);
	return open_group(parser, true);
}

/* Sets, or with `off` removes, what the flag letter says. */
static bool change_flag(uint32_t letter, bool off, unsigned *flags)
{
	unsigned set = 0, removed = 0;
	switch (letter) {
	case 'i':
		set = FLAG_FOLD;
		break;
	case 's':
		set = FLAG_DOT_NEWLINE;
		break;
	case 'm':
		removed = FLAG_ONE_LINE;
		break;
	case 'U': /* which of several matches is preferred is of no interest here */
		break;
	default:
		return false;
	}
	*flags = off ? (*flags & ~set) | removed : (*flags & ~removed) | set;
	return true;
}

/* "(?i)", "(?i-s:", "(?:" */
static bool parse_flags(struct parser *parser)
{
	const char *start = parser->rest.data;
	unsigned flags = parser->flags;
	bool off = false, any = false;
	parser_skip(parser, 2);
	while (parser->rest.length > 0) {
		uint32_t letter;
		if (!parser_next(parser, &parser->rest, &letter))
			return false;
		if (change_flag(letter, off, &flags)) {
			any = true;
		} else if (letter == '-' && !off) {
			off = true;
			any = false;
		} else if ((letter == ':' || letter == ')') && (any || !off)) {
			if (letter == ':' && !open_group(parser, false))
				return false;
			parser->flags = flags;
			return true;
		} else {
			break;
		}
	}
	return parser_fail_from(parser, "invalid or unsupported Perl syntax", start);
}

static bool parse_left_paren(struct parser *parser)
{
	struct str rest = parser->rest;
	if (!str_starts_with(rest, STR_LITERAL("(?"))) {
		parser_skip(parser, 1);
		return open_group(parser, true);
	}
	if (rest.length > 4 && str_starts_with(rest, STR_LITERAL("(?P<")))
		return parse_named_group(parser, 4);
	if (rest.length > 3 && str_starts_with(rest, STR_LITERAL("(?<")))
		return parse_named_group(parser, 3);
	return parse_flags(parser);
}

/* What stands since the last '(' becomes one operand. */
static bool close_alternatives(struct parser *parser)
{
	if (!push_concat(parser))
		return false;
	if (swap_vertical_bar(parser))
		parser->top = parser->top->next;
	return push_alternate(parser);
}

static bool parse_right_paren(struct parser *parser)
{
	parser_skip(parser, 1);
	if (!close_alternatives(parser))
		return false;
	struct node *inner = parser->top, *paren = inner->next;
	if (!paren)
		return parser_fail(parser, "unexpected )", parser->pattern);
	parser->top = paren->next;
	parser->flags = paren->flags_before;
	if (!paren->captures)
		return push(parser, inner);
	inner->next = NULL;
	paren->op = NODE_CAPTURE;
	paren->size = 0; /* what was measured was the parenthesis */
	paren->first = paren->last = inner;
	return push(parser, paren);
}

/* --- the loop ------------------------------------------------------------------------------------------------------ */

/* "\Q...\E": all between is literal; the end of the pattern ends it, too. */
static bool parse_quoted(struct parser *parser)
{
	parser_skip(parser, 2);
	struct str text = parser->rest;
	const char *end = memmem(text.data, text.length, "\\E", 2);
	if (end)
		text.length = (size_t)(end - text.data);
	parser_skip(parser, text.length + (end ? 2 : 0));
	while (text.length > 0) {
		uint32_t character;
		if (!parser_next(parser, &text, &character) || !push_literal(parser, character))
			return false;
	}
	return true;
}

static bool parse_simple(struct parser *parser, size_t length, enum node_op op)
{
	parser_skip(parser, length);
	return push_op(parser, op);
}

static bool parse_backslash(struct parser *parser)
{
	switch (parser->rest.length > 1 ? parser->rest.data[1] : '\0') {
	case 'A':
		return parse_simple(parser, 2, NODE_BEGIN_TEXT);
	case 'b':
		return parse_simple(parser, 2, NODE_WORD_BOUNDARY);
	case 'B':
		return parse_simple(parser, 2, NODE_NOT_WORD_BOUNDARY);
	case 'C':
		return parser_fail(parser, "invalid escape sequence", (struct str){ parser->rest.data, 2 });
	case 'Q':
		return parse_quoted(parser);
	case 'z':
		return parse_simple(parser, 2, NODE_END_TEXT);
	default:
		break;
	}
	struct shared_class *class = NULL;
	if (!parse_class_escape(parser, &class))
		return false;
	if (class)
		return push_class(parser, class);
	uint32_t character;
	return parse_escape(parser, &character) && push_literal(parser, character);
}

static bool parse_vertical_bar(struct parser *parser)
{
	parser_skip(parser, 1);
	return push_concat(parser) && (swap_vertical_bar(parser) || push_op(parser, NODE_VERTICAL_BAR));
}

static bool parse_one(struct parser *parser)
{
	const char *previous = parser->repetition, *start = parser->rest.data;
	parser->repetition = NULL;
	struct shared_class *class = NULL;
	uint32_t character;
	switch (*start) {
	case '(':
		return parse_left_paren(parser);
	case ')':
		return parse_right_paren(parser);
	case '|':
		return parse_vertical_bar(parser);
	case '^':
		return parse_simple(parser, 1, parser->flags & FLAG_ONE_LINE ? NODE_BEGIN_TEXT : NODE_BEGIN_LINE);
	case '$':
		return parse_simple(parser, 1, parser->flags & FLAG_ONE_LINE ? NODE_END_TEXT : NODE_END_LINE);
	case '.':
		return parse_simple(parser, 1, parser->flags & FLAG_DOT_NEWLINE ? NODE_ANY : NODE_ANY_NOT_NEWLINE);
	case '[':
		return parse_bracket_class(parser, &class) && push_class(parser, class);
	case '*':
	case '+':
	case '?':
		parser_skip(parser, 1);
		return parse_repetition(parser, start, previous,
		                        *start == '*'   ? NODE_STAR
		                        : *start == '+' ? NODE_PLUS
		                                        : NODE_QUEST,
		                        0, 0);
	case '{':
		return parse_brace(parser, previous);
	case '\\':
		return parse_backslash(parser);
	default:
		return parser_next(parser, &parser->rest, &character) && push_literal(parser, character);
	}
}

static bool parse_all(struct parser *parser)
{
	while (parser->rest.length > 0) {
		if (!parse_one(parser))
			return false;
	}
	if (!close_alternatives(parser))
		return false;
	return !parser->top->next || parser_fail(parser, "missing closing )", parser->pattern);
}

enum status syntax_parse(struct str pattern, struct arena *arena, struct node **ret_root, struct error *err)
{
	struct parser parser = {
		.pattern = pattern,
		.rest = pattern,
		.flags = FLAG_ONE_LINE,
		.arena = arena,
		.err = err,
		.repeat_product = 1,
	};
	class_table_init(&parser.classes, arena);
	if (parse_all(&parser))
		*ret_root = parser.top;
	for (; parser.growing; parser.growing = parser.growing->outer)
		char_class_release(&parser.growing->class);
	char_class_release(&parser.class);
	char_class_release(&parser.to_fold);
	char_class_release(&parser.scratch);
	class_table_release(&parser.classes);
	return parser.status;
}
