/* program.c - from the tree to instructions. Repetitions with counts are written out. */
#include "regexp/program.h"

#include <stdlib.h>

#include "base/id_map.h"
#include "base/xalloc.h"

/* The parser's own limit lies below; what it lets pass is a long literal, repeated. */
#define INSTRUCTIONS_MAX ((uint32_t)1 << 22)

struct compiler {
	struct program *program;
	struct arena *arena;
	size_t capacity;
	struct id_map literals;        /* class of a code point; with FOLDED, of all that folding makes equal */
	uint32_t any, any_not_newline; /* 1 + class, or 0 */
	bool too_large;
};

#define FOLDED ((uint64_t)1 << 32)

/* --- classes ------------------------------------------------------------------------------------------------------- */

static uint32_t add_class(struct compiler *compiler, const struct char_range *ranges, size_t count)
{
	struct class_list *list = &compiler->program->classes;
	list->classes = xgrow(list->classes, list->count, &list->capacity, sizeof(*list->classes));
	list->classes[list->count] = (struct class_view){ ranges, count };
	return (uint32_t)list->count++;
}

static uint32_t add_class_copy(struct compiler *compiler, const struct char_range *ranges, size_t count)
{
	struct char_range *copy = arena_alloc_array(compiler->arena, count, sizeof(*copy));
	memcpy(copy, ranges, count * sizeof(*copy));
	return add_class(compiler, copy, count);
}

static uint32_t literal_class(struct compiler *compiler, uint32_t character, bool folded)
{
	uint64_t key = character | (folded ? FOLDED : 0);
	uint32_t class_ix = id_map_get(&compiler->literals, key);
	if (class_ix != UINT32_MAX)
		return class_ix;
	struct char_class class = { 0 };
	if (folded)
		char_class_add_folded(&class, character, character);
	else
		char_class_add(&class, character, character);
	char_class_clean(&class);
	class_ix = add_class_copy(compiler, class.ranges, class.count);
	char_class_release(&class);
	id_map_set(&compiler->literals, key, class_ix);
	return class_ix;
}

static uint32_t any_class(struct compiler *compiler, bool newline)
{
	static const struct char_range all[] = { { 0, CODE_POINT_MAX } },
								   all_but_newline[] = { { 0, '\n' - 1 }, { '\n' + 1, CODE_POINT_MAX } };
	uint32_t *class_id = newline ? &compiler->any : &compiler->any_not_newline;
	if (!*class_id)
		*class_id = 1 + (newline ? add_class(compiler, all, 1) : add_class(compiler, all_but_newline, 2));
	return *class_id - 1;
}

/* --- instructions -------------------------------------------------------------------------------------------------- */

static uint32_t emit(struct compiler *compiler, enum instruction_op op, uint32_t operand)
{
	struct program *program = compiler->program;
	if (program->count == INSTRUCTIONS_MAX) {
		compiler->too_large = true;
		return 0;
	}
	program->instructions =
			xgrow(program->instructions, program->count, &compiler->capacity, sizeof(*program->instructions));
	program->instructions[program->count] = (struct instruction){ op, operand };
	return program->count++;
}

/* Lets a chain of splits or jumps, each of which names the one before it, lead to the next instruction. */
static void land(struct compiler *compiler, uint32_t chain)
{
	struct program *program = compiler->program;
	/* When instructions have run out, chains are broken; nothing will run them. */
	while (!compiler->too_large && chain != UINT32_MAX) {
		uint32_t before = program->instructions[chain].operand;
		program->instructions[chain].operand = program->count;
		chain = before;
	}
}

static void compile(struct compiler *compiler, struct node *node);

static void compile_copies(struct compiler *compiler, struct node *node, int count)
{
	for (int i = 0; i < count && !compiler->too_large; i++)
		compile(compiler, node);
}

static void compile_star(struct compiler *compiler, struct node *node)
{
	uint32_t split = emit(compiler, INSTRUCTION_SPLIT, UINT32_MAX);
	compile(compiler, node);
	emit(compiler, INSTRUCTION_JUMP, split);
	land(compiler, split);
}

static void compile_plus(struct compiler *compiler, struct node *node)
{
	uint32_t start = compiler->program->count;
	compile(compiler, node);
	emit(compiler, INSTRUCTION_SPLIT, start);
}

/* At most `count` of it. */
static void compile_optional(struct compiler *compiler, struct node *node, int count)
{
	uint32_t chain = UINT32_MAX;
	for (int i = 0; i < count && !compiler->too_large; i++) {
		chain = emit(compiler, INSTRUCTION_SPLIT, chain);
		compile(compiler, node);
	}
	land(compiler, chain);
}

static void compile_repeat(struct compiler *compiler, const struct node *node)
{
	if (node->max != NODE_NO_MAX) {
		compile_copies(compiler, node->first, node->min);
		compile_optional(compiler, node->first, node->max - node->min);
	} else if (node->min == 0) {
		compile_star(compiler, node->first);
	} else {
		compile_copies(compiler, node->first, node->min - 1);
		compile_plus(compiler, node->first);
	}
}

static void compile_alternate(struct compiler *compiler, const struct node *node)
{
	uint32_t ends = UINT32_MAX;
	for (struct node *child = node->first; child && !compiler->too_large; child = child->next) {
		if (!child->next) {
			compile(compiler, child);
			break;
		}
		uint32_t split = emit(compiler, INSTRUCTION_SPLIT, UINT32_MAX);
		compile(compiler, child);
		ends = emit(compiler, INSTRUCTION_JUMP, ends);
		land(compiler, split);
	}
	land(compiler, ends);
}

static void compile_assertion(struct compiler *compiler, enum instruction_op op)
{
	struct program *program = compiler->program;
	program->has_assertions = true;
	program->has_begin |= op == INSTRUCTION_BEGIN_TEXT || op == INSTRUCTION_BEGIN_LINE;
	program->has_begin_line |= op == INSTRUCTION_BEGIN_LINE;
	program->has_line |= op == INSTRUCTION_BEGIN_LINE || op == INSTRUCTION_END_LINE;
	program->has_word |= op == INSTRUCTION_WORD_BOUNDARY || op == INSTRUCTION_NOT_WORD_BOUNDARY;
	emit(compiler, op, 0);
}

static void compile_leaf(struct compiler *compiler, struct node *node)
{
	switch (node->op) {
	case NODE_LITERAL:
		for (size_t i = 0; i < node->count && !compiler->too_large; i++)
			emit(compiler, INSTRUCTION_CHARACTER, literal_class(compiler, node->characters[i], node->folded));
		break;
	case NODE_CLASS:
		if (!node->class->class_id)
			node->class->class_id = 1 + add_class(compiler, node->class->ranges, node->class->count);
		emit(compiler, INSTRUCTION_CHARACTER, node->class->class_id - 1);
		break;
	case NODE_ANY:
	case NODE_ANY_NOT_NEWLINE:
		emit(compiler, INSTRUCTION_CHARACTER, any_class(compiler, node->op == NODE_ANY));
		break;
	case NODE_BEGIN_TEXT:
		compile_assertion(compiler, INSTRUCTION_BEGIN_TEXT);
		break;
	case NODE_BEGIN_LINE:
		compile_assertion(compiler, INSTRUCTION_BEGIN_LINE);
		break;
	case NODE_END_TEXT:
		compile_assertion(compiler, INSTRUCTION_END_TEXT);
		break;
	case NODE_END_LINE:
		compile_assertion(compiler, INSTRUCTION_END_LINE);
		break;
	case NODE_WORD_BOUNDARY:
		compile_assertion(compiler, INSTRUCTION_WORD_BOUNDARY);
		break;
	case NODE_NOT_WORD_BOUNDARY:
		compile_assertion(compiler, INSTRUCTION_NOT_WORD_BOUNDARY);
		break;
	default: /* NODE_EMPTY */
		break;
	}
}

/* Calls itself as deep as the tree is high, which the parser limits. */
static void compile(struct compiler *compiler, struct node *node)
{
	switch (node->op) {
	case NODE_CAPTURE:
		compile(compiler, node->first);
		break;
	case NODE_STAR:
		compile_star(compiler, node->first);
		break;
	case NODE_PLUS:
		compile_plus(compiler, node->first);
		break;
	case NODE_QUEST:
		compile_optional(compiler, node->first, 1);
		break;
	case NODE_REPEAT:
		compile_repeat(compiler, node);
		break;
	case NODE_CONCAT:
		for (struct node *child = node->first; child && !compiler->too_large; child = child->next)
			compile(compiler, child);
		break;
	case NODE_ALTERNATE:
		compile_alternate(compiler, node);
		break;
	default:
		compile_leaf(compiler, node);
		break;
	}
}

/* --- the program --------------------------------------------------------------------------------------------------- */

/* Newline and the word characters must be symbols of their own where assertions ask for them. */
static void add_assertion_classes(struct compiler *compiler)
{
	static const struct char_range newline[] = { { '\n', '\n' } },
								   word[] = { { '0', '9' }, { 'A', 'Z' }, { '_', '_' }, { 'a', 'z' } };
	if (compiler->program->has_line)
		add_class(compiler, newline, 1);
	if (compiler->program->has_word)
		add_class(compiler, word, 4);
}

enum status program_compile(struct program *program, struct node *root, struct arena *arena)
{
	*program = (struct program){ 0 };
	struct compiler compiler = { .program = program, .arena = arena };
	id_map_init(&compiler.literals, 0);
	compile(&compiler, root);
	emit(&compiler, INSTRUCTION_MATCH, 0);
	add_assertion_classes(&compiler);
	id_map_release(&compiler.literals);
	return compiler.too_large ? STATUS_LIMIT : STATUS_OK;
}

void program_release(struct program *program)
{
	free(program->instructions);
	free(program->classes.classes);
}
