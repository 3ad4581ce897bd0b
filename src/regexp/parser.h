/* parser.h - the state of a parse, shared by parse.c (the loop over the pattern), parse_char.c (escapes and classes) and
 * operands.c (the stack of operands and the limits). Nobody else includes it.
 *
 * Functions that return bool return false when the parse has failed; the error is then set.
 */
#ifndef CPPROF_REGEXP_PARSER_H
#define CPPROF_REGEXP_PARSER_H

#include "regexp/syntax.h"

#define FLAG_FOLD 1u        /* (?i) */
#define FLAG_ONE_LINE 2u    /* not (?m) */
#define FLAG_DOT_NEWLINE 4u /* (?s) */

struct parser {
	struct str pattern;
	struct str rest; /* what is not parsed yet */
	unsigned flags;
	struct arena *arena;
	struct error *err;
	enum status status;
	const char *repetition; /* where the repetition operator starts that was parsed last, if nothing followed it */
	struct node *top;       /* operands, linked by `next` */
	struct char_class class, other_class; /* scratch */
	/* What the reference counts to know when its limits are worth a look. */
	uint64_t node_count, free_node_count, character_count;
	uint64_t repeat_product;
	bool sizes_matter;
};

/* parse.c */
bool parser_fail(struct parser *parser, const char *reason, struct str fragment);
/* Fails with what lies between `start` and the rest. */
bool parser_fail_from(struct parser *parser, const char *reason, const char *start);
void parser_skip(struct parser *parser, size_t count);
/* The next character, which is removed from *text; U+FFFD at its end. Bad UTF-8 fails. */
bool parser_next(struct parser *parser, struct str *text, uint32_t *ret_character);
bool parser_check_utf8(struct parser *parser, struct str text);

/* parse_char.c: each begins at the rest and removes what it takes. */
/* "\n", "\x{1F600}", "\." … */
bool parse_escape(struct parser *parser, uint32_t *ret_character);
/* \d or \p{Greek}, if it is one: *ret_taken. Its characters are added to parser->class. */
bool parse_class_escape(struct parser *parser, bool *ret_taken);
/* "[...]" into parser->class, clean. */
bool parse_bracket_class(struct parser *parser);

/* operands.c */
struct node *node_new(struct parser *parser, enum node_op op);
bool push(struct parser *parser, struct node *node);
bool push_op(struct parser *parser, enum node_op op);
bool push_literal(struct parser *parser, uint32_t character);
/* parser->class, which must be clean, as an operand. */
bool push_class(struct parser *parser);
/* Puts a node with one child, of an op that repeats, in the place of the top operand. */
bool wrap_top(struct parser *parser, enum node_op op, int min, int max);
/* Turns what stands above the last '|' or '(' into one operand. */
bool push_concat(struct parser *parser);
/* Turns what stands above the last '(' into one operand. */
bool push_alternate(struct parser *parser);
/* If the operand under the top one is a '|', moves the top operand under it. */
bool swap_vertical_bar(struct parser *parser);

static inline bool is_separator(const struct node *node)
{
	return node->op >= NODE_LEFT_PAREN;
}

#endif
