/* operands.c - the stack of operands that the parser works on, and the limits.
 *
 * The limits (height 1000, about 3.3 million instructions, 33 million characters in classes) are those of the reference,
 * and so is the shape of the tree as far as they see it: neighbouring literals are one node, a group of a
 * concatenation within a concatenation dissolves, alternatives of one character each are a class. It is not an
 * optimizer: common prefixes of alternatives stay where they are.
 */
#include "regexp/parser.h"

#include "base/xalloc.h"

#define HEIGHT_MAX 1000
/* 128 MiB of instructions of 40 bytes, and of characters of 4. */
#define SIZE_MAX_INSTRUCTIONS (((uint64_t)128 << 20) / 40)
#define CHARACTERS_MAX (((uint64_t)128 << 20) / 4)

/* --- nodes --------------------------------------------------------------------------------------------------------- */

struct node *node_new(struct parser *parser, enum node_op op)
{
	/* The reference keeps discarded nodes for reuse and counts fresh ones only. */
	if (parser->free_node_count > 0)
		parser->free_node_count--;
	else
		parser->node_count++;
	struct node *node = arena_alloc(parser->arena, sizeof(*node));
	*node = (struct node){ .op = op };
	return node;
}

static void node_discard(struct parser *parser)
{
	parser->free_node_count++;
}

static bool is_one_character(const struct node *node)
{
	return node->op == NODE_LITERAL ? node->count == 1 : node->op <= NODE_ANY;
}

static void literal_append(struct parser *parser, struct node *node, const uint32_t *characters, size_t count)
{
	if (node->count + count > node->capacity) {
		size_t capacity = 2 * (node->count + count);
		uint32_t *larger = arena_alloc_array(parser->arena, capacity, sizeof(*larger));
		if (node->count)
			memcpy(larger, node->characters, node->count * sizeof(*larger));
		node->characters = larger;
		node->capacity = capacity;
	}
	memcpy(node->characters + node->count, characters, count * sizeof(*characters));
	node->count += count;
}

static void literal_set(struct parser *parser, struct node *node, uint32_t character, bool folded)
{
	node->op = NODE_LITERAL;
	node->folded = folded;
	node->count = 0;
	literal_append(parser, node, &character, 1);
}

static void class_set(struct parser *parser, struct node *node, const struct char_class *class)
{
	node->op = NODE_CLASS;
	node->count = class->count;
	node->ranges = arena_alloc_array(parser->arena, class->count, sizeof(*class->ranges));
	if (class->count)
		memcpy(node->ranges, class->ranges, class->count * sizeof(*class->ranges));
}

/* --- limits -------------------------------------------------------------------------------------------------------- */

static uint64_t size_of(const struct node *node)
{
	return node->op == NODE_LITERAL ? node->count : node->size;
}

static uint64_t repeat_size(const struct node *node, uint64_t inner)
{
	if (node->max != NODE_NO_MAX)
		return (uint64_t)node->max * inner + (uint64_t)(node->max - node->min);
	return node->min == 0 ? 2 + inner : 1 + (uint64_t)node->min * inner;
}

static unsigned repeat_product(const struct node *node, unsigned inner)
{
	if (node->max == 0)
		return 0;
	unsigned count = (unsigned)(node->max == NODE_NO_MAX ? node->min : node->max);
	return (count ? count : 1) * (inner ? inner : 1);
}

/* Sums up the children: height, size, repeats. */
static void node_measure(struct node *node)
{
	uint64_t size = 0, children = 0;
	node->height = 1;
	node->repeats = 0;
	for (const struct node *child = node->first; child; child = child->next) {
		if (node->height < child->height + 1)
			node->height = child->height + 1;
		if (node->repeats < child->repeats)
			node->repeats = child->repeats;
		size += size_of(child);
		children++;
	}
	if (node->op == NODE_CAPTURE || node->op == NODE_STAR)
		size += 2;
	else if (node->op == NODE_PLUS || node->op == NODE_QUEST)
		size += 1;
	else if (node->op == NODE_ALTERNATE)
		size += children - 1;
	if (node->op == NODE_REPEAT) {
		size = repeat_size(node, size);
		node->repeats = repeat_product(node, node->repeats);
	}
	node->size = size ? size : 1;
}

/* Whether so many nodes, repeated so often, can get near the limit at all. */
static bool size_matters(struct parser *parser, const struct node *node)
{
	if (parser->sizes_matter)
		return true;
	if (node->op == NODE_REPEAT) {
		uint64_t count = (uint64_t)(node->max == NODE_NO_MAX ? node->min : node->max);
		if (count == 0)
			count = 1;
		if (count > SIZE_MAX_INSTRUCTIONS / parser->repeat_product)
			parser->repeat_product = SIZE_MAX_INSTRUCTIONS;
		else
			parser->repeat_product *= count;
	}
	parser->sizes_matter = parser->node_count >= SIZE_MAX_INSTRUCTIONS / parser->repeat_product;
	return parser->sizes_matter;
}

static bool check_limits(struct parser *parser, struct node *node)
{
	node_measure(node);
	if (parser->character_count > CHARACTERS_MAX ||
	    (size_matters(parser, node) && size_of(node) > SIZE_MAX_INSTRUCTIONS))
		return parser_fail(parser, "expression too large", parser->pattern);
	if (node->height > HEIGHT_MAX)
		return parser_fail(parser, "expression nests too deeply", parser->pattern);
	return true;
}

/* --- the stack ----------------------------------------------------------------------------------------------------- */

/* Makes one node of the two top operands if both are literals. Called before a push: then the top one is out of reach of
 * a repetition operator. */
static struct node *join_literals(struct parser *parser)
{
	struct node *top = parser->top;
	if (!top || !top->next || top->op != NODE_LITERAL || top->next->op != NODE_LITERAL ||
	    top->folded != top->next->folded)
		return NULL;
	literal_append(parser, top->next, top->characters, top->count);
	return top;
}

/* A class that a literal can say: [a], or, as (?i)a, [Aa]. */
static bool is_literal_class(const struct node *node, bool *ret_folded)
{
	const struct char_range *ranges = node->ranges;
	uint32_t first = 0, second = 0;
	if (node->count == 1 && ranges[0].low == ranges[0].high) {
		*ret_folded = false;
		return true;
	}
	if (node->count == 1 && ranges[0].low + 1 == ranges[0].high) {
		first = ranges[0].low;
		second = ranges[0].high;
	} else if (node->count == 2 && ranges[0].low == ranges[0].high && ranges[1].low == ranges[1].high) {
		first = ranges[0].low;
		second = ranges[1].low;
	}
	*ret_folded = true;
	return first != second && unicode_fold_next(first) == second && unicode_fold_next(second) == first;
}

bool push(struct parser *parser, struct node *node)
{
	if (node->op == NODE_LITERAL)
		parser->character_count += node->count;
	else if (node->op == NODE_CLASS)
		parser->character_count += 2 * node->count;
	bool folded = false;
	bool as_literal = node->op == NODE_CLASS && is_literal_class(node, &folded);
	uint32_t character = as_literal ? node->ranges[0].low : 0;
	struct node *joined = join_literals(parser);
	if (joined && as_literal) {
		/* The node whose characters went down takes up the new one. */
		literal_set(parser, joined, character, folded);
		return true;
	}
	if (joined) {
		parser->top = joined->next;
		node_discard(parser);
	}
	if (as_literal)
		literal_set(parser, node, character, folded);
	node->next = parser->top;
	parser->top = node;
	return check_limits(parser, node);
}

bool push_op(struct parser *parser, enum node_op op)
{
	return push(parser, node_new(parser, op));
}

/* (?i)k, (?i)K and the Kelvin sign are one literal. */
static uint32_t smallest_of_fold(uint32_t character)
{
	uint32_t smallest = character;
	for (uint32_t other = unicode_fold_next(character); other != character; other = unicode_fold_next(other)) {
		if (other < smallest)
			smallest = other;
	}
	return smallest;
}

bool push_literal(struct parser *parser, uint32_t character)
{
	struct node *node = node_new(parser, NODE_LITERAL);
	bool folded = parser->flags & FLAG_FOLD;
	literal_set(parser, node, folded ? smallest_of_fold(character) : character, folded);
	return push(parser, node);
}

bool push_class(struct parser *parser)
{
	struct node *node = node_new(parser, NODE_CLASS);
	class_set(parser, node, &parser->class);
	return push(parser, node);
}

bool wrap_top(struct parser *parser, enum node_op op, int min, int max)
{
	struct node *child = parser->top;
	struct node *node = node_new(parser, op);
	node->min = min;
	node->max = max;
	node->next = child->next;
	child->next = NULL;
	node->first = node->last = child;
	parser->top = node;
	return check_limits(parser, node);
}

/* --- concatenation and alternation --------------------------------------------------------------------------------- */

/* Takes the operands above the topmost separator, of which there is at least one, off the stack, as children of the node.
 * Children of an operand of the same op become its own. */
static void pop_into(struct parser *parser, struct node *node)
{
	do {
		struct node *operand = parser->top;
		parser->top = operand->next;
		struct node *first = operand, *last = operand;
		if (operand->op == node->op) {
			first = operand->first;
			last = operand->last;
			node_discard(parser);
		}
		last->next = node->first;
		if (!node->first)
			node->last = last;
		node->first = first;
	} while (parser->top && !is_separator(parser->top));
}

/* Whether exactly one operand stands above the topmost separator. */
static bool is_alone(const struct parser *parser)
{
	return !parser->top->next || is_separator(parser->top->next);
}

/* Takes the only operand off and pushes it again: what stood under it may change what it is. */
static bool push_again(struct parser *parser)
{
	struct node *node = parser->top;
	parser->top = node->next;
	return push(parser, node);
}

bool push_concat(struct parser *parser)
{
	struct node *joined = join_literals(parser);
	if (joined) {
		parser->top = joined->next;
		node_discard(parser);
	}
	if (!parser->top || is_separator(parser->top))
		return push_op(parser, NODE_EMPTY);
	if (is_alone(parser))
		return push_again(parser);
	struct node *node = node_new(parser, NODE_CONCAT);
	pop_into(parser, node);
	return push(parser, node);
}

/* Several empty alternatives in a row are as good as one. */
static void drop_repeated_empty(struct node *node)
{
	for (struct node *child = node->first; child; child = child->next) {
		while (child->op == NODE_EMPTY && child->next && child->next->op == NODE_EMPTY)
			child->next = child->next->next;
		node->last = child;
	}
}

bool push_alternate(struct parser *parser)
{
	if (is_alone(parser))
		return push_again(parser);
	struct node *node = node_new(parser, NODE_ALTERNATE);
	pop_into(parser, node);
	drop_repeated_empty(node);
	if (node->first == node->last) {
		node = node->first;
		node_discard(parser);
	}
	return push(parser, node);
}

static void add_to_class(struct char_class *class, const struct node *node)
{
	if (node->op == NODE_CLASS)
		char_class_add_ranges(class, node->ranges, node->count);
	else if (node->folded)
		char_class_add_folded(class, node->characters[0], node->characters[0]);
	else
		char_class_add(class, node->characters[0], node->characters[0]);
}

static bool has_newline(const struct node *node)
{
	switch (node->op) {
	case NODE_LITERAL:
		return node->characters[0] == '\n';
	case NODE_CLASS:
		return char_ranges_contain(node->ranges, node->count, '\n');
	default:
		return node->op == NODE_ANY;
	}
}

static bool is_all(const struct char_class *class)
{
	return class->count == 1 && class->ranges[0].low == 0 && class->ranges[0].high == CODE_POINT_MAX;
}

static bool is_all_but_newline(const struct char_class *class)
{
	return class->count == 2 && class->ranges[0].low == 0 && class->ranges[0].high == '\n' - 1 &&
	       class->ranges[1].low == '\n' + 1 && class->ranges[1].high == CODE_POINT_MAX;
}

/* The node comes to say what either says; both are of one character. */
static void merge_one_character(struct parser *parser, struct node *node, const struct node *other)
{
	if (node->op == NODE_ANY || other->op == NODE_ANY) {
		node->op = NODE_ANY;
	} else if (node->op == NODE_ANY_NOT_NEWLINE || other->op == NODE_ANY_NOT_NEWLINE) {
		bool all = has_newline(node) || has_newline(other);
		node->op = all ? NODE_ANY : NODE_ANY_NOT_NEWLINE;
	} else if (node->op != NODE_LITERAL || other->op != NODE_LITERAL || node->folded != other->folded ||
	           node->characters[0] != other->characters[0]) {
		struct char_class *class = &parser->class;
		class->count = 0;
		add_to_class(class, node);
		add_to_class(class, other);
		char_class_clean(class);
		if (is_all(class))
			node->op = NODE_ANY;
		else if (is_all_but_newline(class))
			node->op = NODE_ANY_NOT_NEWLINE;
		else
			class_set(parser, node, class);
	}
}

bool swap_vertical_bar(struct parser *parser)
{
	struct node *top = parser->top, *bar = top->next;
	if (!bar || bar->op != NODE_VERTICAL_BAR)
		return false;
	struct node *left = bar->next;
	if (left && is_one_character(top) && is_one_character(left)) {
		merge_one_character(parser, left, top);
		node_discard(parser);
		parser->top = bar;
		return true;
	}
	top->next = left;
	bar->next = top;
	parser->top = bar;
	return true;
}
