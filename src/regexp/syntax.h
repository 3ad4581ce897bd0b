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
#include "regexp/class_table.h"

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
	uint64_t size;             /* instructions, as the reference estimates them; 0 = not measured yet */
	struct node *next;         /* sibling, or the operand below on the parser's stack */
	struct node *first, *last; /* children */
	uint32_t *characters;      /* NODE_LITERAL */
	size_t count;
	size_t room, room_before;      /* for how many more there is memory behind and before them */
	uint32_t character;            /* where they are if there is one */
	struct shared_class *class;    /* NODE_CLASS */
	struct growing_class *growing; /* NODE_CLASS, instead, while alternatives may still be added to it */
	unsigned flags_before;         /* NODE_LEFT_PAREN: what the closing one restores */
	bool captures;                 /* NODE_LEFT_PAREN */
};

/* Parses the pattern into nodes of the arena. STATUS_INVALID with Go's message, word for word. The depth of the tree is
 * at most 1000, so that functions over it may call themselves. */
enum status syntax_parse(struct str pattern, struct arena *arena, struct node **ret_root,
                         struct error *err) CPPROF_MUST_USE;

#endif
