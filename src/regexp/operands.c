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
	/* Those that are used again are not counted: so does the reference. */
	struct node *node = parser->unused;
	if (node) {
		parser->unused = node->next;
	} else {
		parser->node_count++;
		node = arena_alloc(parser->arena, sizeof(*node));
	}
	*node = (struct node){ .op = op };
	return node;
}

static void node_discard(struct parser *parser, struct node *node)
{
	node->next = parser->unused;
	parser->unused = node;
}

static bool is_one_character(const struct node *node)
{
	return node->op == NODE_LITERAL ? node->count == 1 : node->op <= NODE_ANY;
}

static void literal_set(struct node *node, uint32_t character, bool folded)
{
	node->op = NODE_LITERAL;
	node->folded = folded;
	node->character = character;
	node->characters = &node->character;
	node->count = 1;
	node->room = node->room_before = 0;
}

/* Moves the characters to where as many as `count` have room both before and behind them, and as many as there are now. */
static void literal_make_room(struct parser *parser, struct node *node, size_t count)
{
	size_t room = node->count + count;
	uint32_t *larger = arena_alloc_array(parser->arena, node->count + 2 * room, sizeof(*larger));
	memcpy(larger + room, node->characters, node->count * sizeof(*larger));
	node->characters = larger + room;
	node->room = node->room_before = room;
}

/* Moves the characters of `right` to the end of those of `node`. Of the two, the shorter one is copied: groups can be
 * nested so that literals grow to the left, and others so that they grow to the right. */
static void literal_append(struct parser *parser, struct node *node, struct node *right)
{
	if (right->count <= node->count) {
		if (node->room < right->count)
			literal_make_room(parser, node, right->count);
		memcpy(node->characters + node->count, right->characters, right->count * sizeof(*right->characters));
		node->room -= right->count;
		node->count += right->count;
		return;
	}
	if (right->room_before < node->count)
		literal_make_room(parser, right, node->count);
	memcpy(right->characters - node->count, node->characters, node->count * sizeof(*node->characters));
	node->characters = right->characters - node->count;
	node->room_before = right->room_before - node->count;
	node->room = right->room;
	node->count += right->count;
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

/* Counts an operand as the next child of the node. One of the same op stands for its children. */
static void measure_child(struct node *node, const struct node *child)
{
	unsigned height = child->height + (child->op != node->op || node->op < NODE_CONCAT);
	if (node->height < height)
		node->height = height;
	if (node->repeats < child->repeats)
		node->repeats = child->repeats;
	if (node->op == NODE_ALTERNATE && node->size > 0)
		node->size++;
	node->size += size_of(child);
}

/* Height, size, repeats. pop_into has measured what has several children: an operand may be pushed many times, and
 * going through its children each time would take quadratic time. */
static void node_measure(struct node *node)
{
	if (node->size > 0)
		return;
	node->height = 1;
	node->repeats = 0;
	if (node->first)
		measure_child(node, node->first);
	if (node->op == NODE_CAPTURE || node->op == NODE_STAR)
		node->size += 2;
	else if (node->op == NODE_PLUS || node->op == NODE_QUEST)
		node->size += 1;
	if (node->op == NODE_REPEAT) {
		node->size = repeat_size(node, node->size);
		node->repeats = repeat_product(node, node->repeats);
	}
	if (node->size == 0)
		node->size = 1;
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
	literal_append(parser, top->next, top);
	return top;
}

/* A class that a literal can say: [a], or, as (?i)a, [Aa]. */
static bool is_literal_class(const struct node *node, bool *ret_folded)
{
	const struct char_range *ranges = node->class->ranges;
	size_t count = node->class->count;
	uint32_t first = 0, second = 0;
	if (count == 1 && ranges[0].low == ranges[0].high) {
		*ret_folded = false;
		return true;
	}
	if (count == 1 && ranges[0].low + 1 == ranges[0].high) {
		first = ranges[0].low;
		second = ranges[0].high;
	} else if (count == 2 && ranges[0].low == ranges[0].high && ranges[1].low == ranges[1].high) {
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
		parser->character_count += 2 * node->class->count;
	bool folded = false;
	bool as_literal = node->op == NODE_CLASS && is_literal_class(node, &folded);
	uint32_t character = as_literal ? node->class->ranges[0].low : 0;
	struct node *joined = join_literals(parser);
	if (joined && as_literal) {
		/* The node whose characters went down takes up the new one. */
		literal_set(joined, character, folded);
		return true;
	}
	if (joined) {
		parser->top = joined->next;
		node_discard(parser, joined);
	}
	if (as_literal)
		literal_set(node, character, folded);
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
	literal_set(node, folded ? smallest_of_fold(character) : character, folded);
	return push(parser, node);
}

bool push_class(struct parser *parser, struct shared_class *class)
{
	struct node *node = node_new(parser, NODE_CLASS);
	node->class = class;
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
 * Children of an operand of the same op become its own. Several empty alternatives in a row are as good as one. */
static void pop_into(struct parser *parser, struct node *node)
{
	do {
		struct node *operand = parser->top;
		parser->top = operand->next;
		measure_child(node, operand);
		struct node *first = operand, *last = operand, *following = node->first;
		if (operand->op == node->op) {
			first = operand->first;
			last = operand->last;
			node_discard(parser, operand);
		}
		if (node->op == NODE_ALTERNATE && last->op == NODE_EMPTY && following && following->op == NODE_EMPTY) {
			following = following->next;
			node->size -= 2; /* itself, and the choice */
		}
		last->next = following;
		if (!following)
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
		node_discard(parser, joined);
	}
	if (!parser->top || is_separator(parser->top))
		return push_op(parser, NODE_EMPTY);
	if (is_alone(parser))
		return push_again(parser);
	struct node *node = node_new(parser, NODE_CONCAT);
	pop_into(parser, node);
	return push(parser, node);
}

/* --- alternatives of one character each ---------------------------------------------------------------------------- */

static bool ranges_have_newline(const struct char_range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (ranges[i].low <= '\n' && '\n' <= ranges[i].high)
			return true;
	}
	return false;
}

static bool has_newline(const struct node *node)
{
	switch (node->op) {
	case NODE_LITERAL:
		return node->characters[0] == '\n';
	case NODE_CLASS:
		if (node->growing)
			return ranges_have_newline(node->growing->class.ranges, node->growing->class.count);
		return char_ranges_contain(node->class->ranges, node->class->count, '\n');
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

static void add_to_growing(struct growing_class *growing, const struct node *node)
{
	if (node->op == NODE_CLASS)
		add_shared(&growing->class, growing->number, node->class);
	else if (node->folded)
		char_class_add_folded(&growing->class, node->characters[0], node->characters[0]);
	else
		char_class_add(&growing->class, node->characters[0], node->characters[0]);
}

/* The node becomes a class that can take alternatives at no more cost than their own. */
static void start_growing(struct parser *parser, struct node *node)
{
	struct growing_class *growing = arena_alloc(parser->arena, sizeof(*growing));
	*growing = (struct growing_class){ .number = ++parser->built_count, .outer = parser->growing };
	parser->growing = growing;
	add_to_growing(growing, node);
	node->op = NODE_CLASS;
	node->class = NULL;
	node->growing = growing;
}

/* The node's is the innermost one: those within have come to an end with their groups. */
static void stop_growing(struct parser *parser, struct node *node)
{
	char_class_release(&node->growing->class);
	parser->growing = node->growing->outer;
	node->growing = NULL;
}

/* No alternative can be added any more. */
static void finish_growing(struct parser *parser, struct node *node)
{
	if (!node->growing)
		return;
	struct char_class *class = &node->growing->class;
	char_class_clean(class);
	if (is_all(class))
		node->op = NODE_ANY;
	else if (is_all_but_newline(class))
		node->op = NODE_ANY_NOT_NEWLINE;
	else
		node->class = class_table_intern(&parser->classes, class);
	stop_growing(parser, node);
}

/* The node comes to say what either says; both are of one character. */
static void merge_one_character(struct parser *parser, struct node *node, const struct node *other)
{
	enum node_op wider = node->op > other->op ? node->op : other->op;
	if (wider == NODE_ANY_NOT_NEWLINE && (has_newline(node) || has_newline(other)))
		wider = NODE_ANY;
	if (wider == NODE_ANY || wider == NODE_ANY_NOT_NEWLINE) {
		if (node->growing)
			stop_growing(parser, node);
		node->op = wider;
	} else if (wider == NODE_CLASS || node->folded != other->folded || node->characters[0] != other->characters[0]) {
		if (!node->growing)
			start_growing(parser, node);
		add_to_growing(node->growing, other);
	}
}

bool push_alternate(struct parser *parser)
{
	finish_growing(parser, parser->top);
	if (is_alone(parser))
		return push_again(parser);
	struct node *node = node_new(parser, NODE_ALTERNATE);
	pop_into(parser, node);
	if (node->first == node->last) {
		struct node *alternate = node;
		node = node->first;
		node_discard(parser, alternate);
	}
	return push(parser, node);
}

bool swap_vertical_bar(struct parser *parser)
{
	struct node *top = parser->top, *bar = top->next;
	if (!bar || bar->op != NODE_VERTICAL_BAR)
		return false;
	struct node *left = bar->next;
	if (left && is_one_character(top) && is_one_character(left)) {
		merge_one_character(parser, left, top);
		parser->top = bar;
		node_discard(parser, top);
		return true;
	}
	if (left)
		finish_growing(parser, left);
	top->next = left;
	bar->next = top;
	parser->top = bar;
	return true;
}
