/* syntax.h - a pattern as a tree.
 *
 * The dialect is that of Go's regexp.Compile. What the tree does not keep is what makes no difference to whether a text
 * matches: which group captured, and whether a repetition is greedy.
 */
#ifndef CPPROF_REGEXP_SYNTAX_H
#define CPPROF_REGEXP_SYNTAX_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"
#include "regexp/char_class.h"

/* The first four are what a single character class could say; the order among them tells which says more. */
enum node_op {
	NODE_LITERAL, /* one or more code points in a row */
	NODE_CLASS,
	NODE_ANY_NOT_NEWLINE,
	NODE_ANY,
	NODE_EMPTY,
	NODE_BEGIN_TEXT,
	NODE_END_TEXT,
	NODE_BEGIN_LINE,
	NODE_END_LINE,
	NODE_WORD_BOUNDARY,
	NODE_NOT_WORD_BOUNDARY,
	NODE_CAPTURE,
	NODE_STAR,
	NODE_PLUS,
	NODE_QUEST,
	NODE_REPEAT,
	NODE_CONCAT,
	NODE_ALTERNATE,
	/* Only while parsing: what separates the operands on the stack. */
	NODE_LEFT_PAREN,
	NODE_VERTICAL_BAR,
};

#define NODE_NO_MAX (-1)

struct node {
	enum node_op op;
	bool folded;               /* NODE_LITERAL: (?i) */
	int min, max;              /* NODE_REPEAT */
	unsigned height;           /* of the tree below and with this node */
	unsigned repeats;          /* largest product of the counts of nested repeats on any way down */
	uint64_t size;             /* instructions, as the reference estimates them */
	struct node *next;         /* sibling, or the operand below on the parser's stack */
	struct node *first, *last; /* children */
	uint32_t *characters;      /* NODE_LITERAL */
	struct char_range *ranges; /* NODE_CLASS, clean */
	size_t count, capacity;    /* of characters or ranges */
	unsigned flags_before;     /* NODE_LEFT_PAREN: what the closing one restores */
	bool captures;             /* NODE_LEFT_PAREN */
	uint32_t class_id;         /* NODE_CLASS: 1 + its number in the program, once it has one */
};

/* Parses the pattern into nodes of the arena. STATUS_INVALID with Go's message, word for word. The depth of the tree is
 * at most 1000, so that functions over it may call themselves. */
enum status syntax_parse(struct str pattern, struct arena *arena, struct node **ret_root,
                         struct error *err) CPPROF_MUST_USE;

#endif
