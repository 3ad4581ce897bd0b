/* parser.h - the state of a parse, shared by parse.c (the loop over the pattern), parse_char.c (escapes and classes) and
 * operands.c (the stack of operands and the limits). Nobody else includes it.
 *
 * Functions that return bool return false when the parse has failed; the error is then set.
 */
#ifndef CPPROF_REGEXP_PARSER_H
#define CPPROF_REGEXP_PARSER_H

#include "regexp/syntax.h"

/* What neighbouring alternatives of one character each become: made when the second one comes, a shared_class when no
 * more can come. */
struct growing_class {
	struct char_class class;
	uint64_t number; /* of the class being built, see shared_class */
	struct growing_class *outer;
};

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
	struct node *unused;    /* nodes that were discarded, linked by `next` */
	struct class_table classes;
	struct growing_class *growing; /* the one that grows now; it is inside the others */
	uint64_t built_count;          /* classes that began to be built: the number of the last one */
	/* A bracket class; of it what is to be folded when it is complete; and scratch. */
	struct char_class class, to_fold, scratch;
	bool no_group_end; /* no ":]" follows */
	/* What the reference counts to know when its limits are worth a look. */
	uint64_t node_count, character_count;
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
/* \d or \p{Greek}; *ret_class stays as it is if it is something else. */
bool parse_class_escape(struct parser *parser, struct shared_class **ret_class);
/* "[...]" */
bool parse_bracket_class(struct parser *parser, struct shared_class **ret_class);
/* Adds what is shared to a class being built, unless it is in. */
static inline void add_shared(struct char_class *class, uint64_t number, struct shared_class *shared)
{
	if (shared->added_to == number)
		return;
	shared->added_to = number;
	char_class_add_ranges(class, shared->ranges, shared->count);
}

/* operands.c */
struct node *node_new(struct parser *parser, enum node_op op);
bool push(struct parser *parser, struct node *node);
bool push_op(struct parser *parser, enum node_op op);
bool push_literal(struct parser *parser, uint32_t character);
bool push_class(struct parser *parser, struct shared_class *class);
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
