/* program.h - a pattern as instructions of a nondeterministic automaton.
 *
 * Only what decides whether a text matches: no captures, no preference among matches.
 */
#ifndef CPPROF_REGEXP_PROGRAM_H
#define CPPROF_REGEXP_PROGRAM_H

#include "regexp/symbols.h"
#include "regexp/syntax.h"

/* What follows is the next instruction, unless said otherwise. */
enum instruction_op {
	INSTRUCTION_CHARACTER, /* of class number `operand` */
	INSTRUCTION_SPLIT,     /* the next, and that at `operand` */
	INSTRUCTION_JUMP,      /* to `operand` */
	INSTRUCTION_MATCH,
	/* Take no character. */
	INSTRUCTION_BEGIN_TEXT,
	INSTRUCTION_BEGIN_LINE,
	INSTRUCTION_END_TEXT,
	INSTRUCTION_END_LINE,
	INSTRUCTION_WORD_BOUNDARY,
	INSTRUCTION_NOT_WORD_BOUNDARY,
};

struct instruction {
	uint32_t op; /* enum instruction_op */
	uint32_t operand;
};

struct program {
	struct instruction *instructions; /* the first one is where a match begins */
	uint32_t count;
	struct class_list classes;
	/* Which kinds of assertions there are. */
	bool has_assertions, has_begin, has_begin_line, has_line, has_word;
};

/* STATUS_LIMIT if that takes millions of instructions. The program is to be released in any case; it refers to ranges in
 * the nodes and in the arena. Numbers the classes of the nodes. */
enum status program_compile(struct program *program, struct node *root, struct arena *arena) CPPROF_MUST_USE;
void program_release(struct program *program);

#endif
