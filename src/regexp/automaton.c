/* automaton.c - the states of the deterministic automaton, and the search.
 *
 * A state stands between two characters. It holds the instructions that wait for the next one: CHARACTER, and assertions
 * that need to know it ($, \b). Those of a match that begins right here are in every state, and not stored in any:
 * they depend only on what the character before was (struct start).
 */
#include "regexp/automaton.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/utf8.h"
#include "base/xalloc.h"

/* What assertions know about the character before or after. */
enum kind { KIND_EDGE, KIND_NEWLINE, KIND_WORD, KIND_OTHER, KIND_UNKNOWN };
#define KIND_COUNT 4

/* In a row, for the next state: these, or the offset of its row. */
#define NEXT_UNKNOWN 0u
#define NEXT_MATCH 1u
#define NEXT_DEAD 2u
#define RESERVED_ROWS 3u

/* Ceilings, in 32-bit words. At the least, the states of one step must fit. */
#define ROWS_WORDS_MAX ((size_t)4 << 20)
#define WAITING_WORDS_MAX ((size_t)4 << 20)
#define ROWS_MIN 16

/* Instructions reached: `members` is a stack, too, from which they are expanded. */
struct set {
	uint32_t *members, *places; /* members[places[x]] == x says that x is in */
	uint32_t member_count;
	uint32_t *waiting; /* those that wait for a character */
	uint32_t waiting_count;
	bool matched;
};

struct start {
	uint32_t *waiting;
	uint32_t waiting_count;
	bool matched;
};

struct state {
	uint32_t waiting_at, waiting_count; /* in the pool, sorted */
	enum kind before;
	uint32_t hash;
};

struct automaton {
	const struct program *program;
	struct symbols symbols;
	enum kind *kinds; /* of each symbol, and of the end */
	uint32_t columns; /* symbols and the end of the text */
	struct start starts[KIND_COUNT];
	bool starts_only_at_edge;
	struct set here, there;
	uint32_t *rows;
	struct state *states;
	size_t state_count, state_capacity, row_capacity, rows_max;
	uint32_t *pool;
	size_t pool_count, pool_capacity;
	uint32_t *slots; /* state number, 0 = empty; a power of two of them */
	uint32_t slot_mask;
	uint32_t first_row; /* the state before the first character, or 0 */
	/* The state in which nothing has begun, and the bytes that lead from there to itself. */
	uint32_t idle_row;
	bool idle_bytes[256];
};

/* --- sets of instructions ------------------------------------------------------------------------------------------ */

static void set_init(struct set *set, uint32_t count)
{
	set->members = xcalloc(count, sizeof(uint32_t));
	set->places = xcalloc(count, sizeof(uint32_t));
	set->waiting = xcalloc(count, sizeof(uint32_t));
}

static void set_release(struct set *set)
{
	free(set->members);
	free(set->places);
	free(set->waiting);
}

static void set_clear(struct set *set)
{
	set->member_count = set->waiting_count = 0;
	set->matched = false;
}

static void set_add(struct set *set, uint32_t instruction_ix)
{
	uint32_t place = set->places[instruction_ix];
	if (place < set->member_count && set->members[place] == instruction_ix)
		return;
	set->places[instruction_ix] = set->member_count;
	set->members[set->member_count++] = instruction_ix;
}

enum answer { ANSWER_NO, ANSWER_YES, ANSWER_LATER };

static enum answer answer(bool yes)
{
	return yes ? ANSWER_YES : ANSWER_NO;
}

/* Whether the assertion holds between two characters, of which the second may not be known yet. */
static enum answer assertion_holds(enum instruction_op op, enum kind before, enum kind after)
{
	if (op == INSTRUCTION_BEGIN_TEXT)
		return answer(before == KIND_EDGE);
	if (op == INSTRUCTION_BEGIN_LINE)
		return answer(before == KIND_EDGE || before == KIND_NEWLINE);
	if (after == KIND_UNKNOWN)
		return ANSWER_LATER;
	if (op == INSTRUCTION_END_TEXT)
		return answer(after == KIND_EDGE);
	if (op == INSTRUCTION_END_LINE)
		return answer(after == KIND_EDGE || after == KIND_NEWLINE);
	bool boundary = (before == KIND_WORD) != (after == KIND_WORD);
	return answer(boundary == (op == INSTRUCTION_WORD_BOUNDARY));
}

/* Adds the instruction and all that is reached from it without taking a character. */
static void set_reach(struct set *set, const struct program *program, uint32_t from, enum kind before, enum kind after)
{
	uint32_t next = set->member_count;
	set_add(set, from);
	for (; next < set->member_count; next++) {
		uint32_t at = set->members[next];
		struct instruction instruction = program->instructions[at];
		enum answer holds;
		switch (instruction.op) {
		case INSTRUCTION_CHARACTER:
			set->waiting[set->waiting_count++] = at;
			break;
		case INSTRUCTION_SPLIT:
			set_add(set, at + 1);
			set_add(set, instruction.operand);
			break;
		case INSTRUCTION_JUMP:
			set_add(set, instruction.operand);
			break;
		case INSTRUCTION_MATCH:
			set->matched = true;
			break;
		default:
			holds = assertion_holds((enum instruction_op)instruction.op, before, after);
			if (holds == ANSWER_YES)
				set_add(set, at + 1);
			else if (holds == ANSWER_LATER)
				set->waiting[set->waiting_count++] = at;
		}
	}
}

/* --- states -------------------------------------------------------------------------------------------------------- */

/* Kinds that no assertion of the program tells apart, seen from behind, are one. */
static enum kind kind_before(const struct program *program, enum kind kind)
{
	if (kind == KIND_WORD)
		return program->has_word ? KIND_WORD : KIND_OTHER;
	if (kind == KIND_NEWLINE)
		return program->has_begin_line ? KIND_NEWLINE : KIND_OTHER;
	if (kind == KIND_EDGE)
		return program->has_begin ? KIND_EDGE : KIND_OTHER;
	return kind;
}

static void forget_states(struct automaton *automaton)
{
	automaton->state_count = RESERVED_ROWS;
	automaton->pool_count = 0;
	automaton->first_row = automaton->idle_row = 0;
	memset(automaton->slots, 0, ((size_t)automaton->slot_mask + 1) * sizeof(*automaton->slots));
}

static bool state_equal(const struct automaton *automaton, const struct state *state, const struct set *set,
                        enum kind before, uint32_t hash)
{
	return state->hash == hash && state->before == before && state->waiting_count == set->waiting_count &&
	       memcmp(automaton->pool + state->waiting_at, set->waiting, set->waiting_count * sizeof(uint32_t)) == 0;
}

static void grow_slots(struct automaton *automaton)
{
	free(automaton->slots);
	automaton->slot_mask = 2 * automaton->slot_mask + 1;
	automaton->slots = xcalloc((size_t)automaton->slot_mask + 1, sizeof(*automaton->slots));
	for (uint32_t i = RESERVED_ROWS; i < automaton->state_count; i++) {
		uint32_t at = automaton->states[i].hash & automaton->slot_mask;
		while (automaton->slots[at])
			at = (at + 1) & automaton->slot_mask;
		automaton->slots[at] = i;
	}
}

static int compare_instructions(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	return a < b ? -1 : a > b;
}

static uint32_t *grow_words(uint32_t *words, size_t needed, size_t *capacity)
{
	if (needed <= *capacity)
		return words;
	*capacity = needed < 512 ? 1024 : 2 * needed;
	return xreallocarray(words, *capacity, sizeof(*words));
}

/* Appends the state; its row knows nothing yet. */
static uint32_t add_state(struct automaton *automaton, const struct set *set, enum kind before, uint32_t hash)
{
	uint32_t number = (uint32_t)automaton->state_count;
	size_t end = (automaton->state_count + 1) * automaton->columns;
	automaton->rows = grow_words(automaton->rows, end, &automaton->row_capacity);
	memset(automaton->rows + end - automaton->columns, 0, automaton->columns * sizeof(uint32_t));
	automaton->states =
			xgrow(automaton->states, automaton->state_count, &automaton->state_capacity, sizeof(*automaton->states));
	size_t pool_end = automaton->pool_count + set->waiting_count;
	automaton->pool = grow_words(automaton->pool, pool_end, &automaton->pool_capacity);
	if (set->waiting_count)
		memcpy(automaton->pool + automaton->pool_count, set->waiting, set->waiting_count * sizeof(uint32_t));
	automaton->states[number] = (struct state){ (uint32_t)automaton->pool_count, set->waiting_count, before, hash };
	automaton->pool_count = pool_end;
	automaton->state_count++;
	return number;
}

static bool is_full(const struct automaton *automaton, const struct set *set)
{
	return automaton->state_count >= automaton->rows_max ||
	       (automaton->pool_count > 0 && automaton->pool_count + set->waiting_count > WAITING_WORDS_MAX);
}

/* The row of the state that holds what the set waits for. Sets *ret_forgotten if all others had to go. */
static uint32_t find_state(struct automaton *automaton, struct set *set, enum kind before, bool *ret_forgotten)
{
	if (set->waiting_count > 1)
		qsort(set->waiting, set->waiting_count, sizeof(*set->waiting), compare_instructions);
	uint32_t hash = (uint32_t)XXH3_64bits_withSeed(set->waiting, set->waiting_count * sizeof(uint32_t), before);
	uint32_t at = hash & automaton->slot_mask;
	for (; automaton->slots[at]; at = (at + 1) & automaton->slot_mask) {
		if (state_equal(automaton, &automaton->states[automaton->slots[at]], set, before, hash))
			return automaton->slots[at] * automaton->columns;
	}
	if (is_full(automaton, set)) {
		forget_states(automaton);
		*ret_forgotten = true;
		at = hash & automaton->slot_mask;
	}
	uint32_t number = add_state(automaton, set, before, hash);
	automaton->slots[at] = number;
	if (automaton->state_count > automaton->slot_mask / 2)
		grow_slots(automaton);
	return number * automaton->columns;
}

/* --- steps --------------------------------------------------------------------------------------------------------- */

static bool takes(const struct automaton *automaton, uint32_t instruction_ix, uint32_t symbol)
{
	const struct program *program = automaton->program;
	const struct class_view *class = &program->classes.classes[program->instructions[instruction_ix].operand];
	return char_ranges_contain(class->ranges, class->count, automaton->symbols.examples[symbol]);
}

/* Lets those that wait take the symbol, or, if they are assertions, see it: what these lead to is in `here`. */
static void step_waiting(struct automaton *automaton, const uint32_t *waiting, uint32_t count, enum kind before,
                         uint32_t symbol)
{
	const struct program *program = automaton->program;
	enum kind after = automaton->kinds[symbol];
	for (uint32_t i = 0; i < count; i++) {
		enum instruction_op op = (enum instruction_op)program->instructions[waiting[i]].op;
		if (op != INSTRUCTION_CHARACTER) {
			if (assertion_holds(op, before, after) == ANSWER_YES)
				set_reach(&automaton->here, program, waiting[i] + 1, before, after);
		} else if (symbol < automaton->symbols.count && takes(automaton, waiting[i], symbol)) {
			set_reach(&automaton->there, program, waiting[i] + 1, kind_before(program, after), KIND_UNKNOWN);
		}
	}
}

/* What follows the state at `row` on the symbol (or the end): NEXT_MATCH, NEXT_DEAD or a row. */
static uint32_t step(struct automaton *automaton, uint32_t row, uint32_t symbol)
{
	const struct state state = automaton->states[row / automaton->columns];
	const struct start *start = &automaton->starts[state.before];
	struct set *here = &automaton->here, *there = &automaton->there;
	set_clear(here);
	set_clear(there);
	step_waiting(automaton, automaton->pool + state.waiting_at, state.waiting_count, state.before, symbol);
	step_waiting(automaton, start->waiting, start->waiting_count, state.before, symbol);
	/* With both sides known, only CHARACTERs are left waiting in `here`. */
	step_waiting(automaton, here->waiting, here->waiting_count, state.before, symbol);
	uint32_t next = NEXT_DEAD;
	bool forgotten = false;
	if (here->matched || there->matched) {
		next = NEXT_MATCH;
	} else if (symbol < automaton->symbols.count) {
		enum kind before = kind_before(automaton->program, automaton->kinds[symbol]);
		if (automaton->starts[before].matched)
			next = NEXT_MATCH;
		else if (there->waiting_count > 0 || !automaton->starts_only_at_edge)
			next = find_state(automaton, there, before, &forgotten);
	}
	if (!forgotten)
		automaton->rows[row + symbol] = next;
	return next;
}

static uint32_t first_row(struct automaton *automaton)
{
	bool forgotten = false;
	if (!automaton->first_row) {
		set_clear(&automaton->there);
		enum kind before = kind_before(automaton->program, KIND_EDGE);
		automaton->first_row = find_state(automaton, &automaton->there, before, &forgotten);
		if (!automaton->program->has_assertions)
			automaton->idle_row = automaton->first_row;
	}
	return automaton->first_row;
}

bool automaton_search(struct automaton *automaton, struct str text)
{
	const unsigned char *at = (const unsigned char *)text.data, *end = at + text.length;
	if (automaton->starts[kind_before(automaton->program, KIND_EDGE)].matched)
		return true;
	uint32_t row = first_row(automaton);
	while (at < end) {
		if (row == automaton->idle_row) {
			while (at < end && automaton->idle_bytes[*at])
				at++;
			if (at == end)
				break;
		}
		uint32_t symbol;
		if (*at < 0x80) {
			symbol = automaton->symbols.ascii[*at++];
		} else {
			size_t size;
			struct str left = { (const char *)at, (size_t)(end - at) };
			symbol = symbols_find(&automaton->symbols, utf8_decode(left, &size));
			at += size;
		}
		uint32_t next = automaton->rows[row + symbol];
		if (next == NEXT_UNKNOWN)
			next = step(automaton, row, symbol);
		if (next <= NEXT_DEAD)
			return next == NEXT_MATCH;
		row = next;
	}
	uint32_t last = automaton->rows[row + automaton->symbols.count];
	if (last == NEXT_UNKNOWN)
		last = step(automaton, row, automaton->symbols.count);
	return last == NEXT_MATCH;
}

/* --- making one ---------------------------------------------------------------------------------------------------- */

static bool is_word(uint32_t character)
{
	return (character >= '0' && character <= '9') || (character >= 'A' && character <= 'Z') || character == '_' ||
	       (character >= 'a' && character <= 'z');
}

static void find_kinds(struct automaton *automaton)
{
	const struct program *program = automaton->program;
	automaton->kinds = xcalloc(automaton->columns, sizeof(*automaton->kinds));
	for (uint32_t i = 0; i < automaton->symbols.count; i++) {
		uint32_t character = automaton->symbols.examples[i];
		automaton->kinds[i] = program->has_line && character == '\n'    ? KIND_NEWLINE
		                      : program->has_word && is_word(character) ? KIND_WORD
		                                                                : KIND_OTHER;
	}
	automaton->kinds[automaton->symbols.count] = KIND_EDGE;
}

static void find_starts(struct automaton *automaton)
{
	struct set *set = &automaton->there;
	automaton->starts_only_at_edge = true;
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		struct start *start = &automaton->starts[kind];
		set_clear(set);
		set_reach(set, automaton->program, 0, (enum kind)kind, KIND_UNKNOWN);
		start->matched = set->matched;
		start->waiting_count = set->waiting_count;
		start->waiting = xreallocarray(NULL, set->waiting_count, sizeof(uint32_t));
		if (set->waiting_count)
			memcpy(start->waiting, set->waiting, set->waiting_count * sizeof(uint32_t));
		bool reachable = kind_before(automaton->program, (enum kind)kind) == (enum kind)kind && kind != KIND_EDGE;
		if (reachable && (set->matched || set->waiting_count > 0))
			automaton->starts_only_at_edge = false;
	}
}

static void find_idle_bytes(struct automaton *automaton)
{
	const struct start *start = &automaton->starts[KIND_OTHER];
	const struct program *program = automaton->program;
	if (program->has_assertions)
		return;
	memset(automaton->idle_bytes, true, 128);
	for (uint32_t i = 0; i < start->waiting_count; i++) {
		const struct class_view *class = &program->classes.classes[program->instructions[start->waiting[i]].operand];
		for (size_t j = 0; j < class->count && class->ranges[j].low < 128; j++) {
			for (uint32_t byte = class->ranges[j].low; byte <= class->ranges[j].high && byte < 128; byte++)
				automaton->idle_bytes[byte] = false;
		}
	}
}

struct automaton *automaton_new(const struct program *program)
{
	struct automaton *automaton = xcalloc(1, sizeof(*automaton));
	automaton->program = program;
	symbols_init(&automaton->symbols, &program->classes);
	automaton->columns = automaton->symbols.count + 1;
	automaton->rows_max = ROWS_WORDS_MAX / automaton->columns;
	if (automaton->rows_max < ROWS_MIN)
		automaton->rows_max = ROWS_MIN;
	set_init(&automaton->here, program->count);
	set_init(&automaton->there, program->count);
	find_kinds(automaton);
	find_starts(automaton);
	find_idle_bytes(automaton);
	/* So that the pool is never NULL, whatever the first state holds. */
	automaton->pool = grow_words(NULL, 1, &automaton->pool_capacity);
	automaton->slot_mask = 63;
	automaton->slots = xcalloc(64, sizeof(*automaton->slots));
	forget_states(automaton);
	return automaton;
}

void automaton_free(struct automaton *automaton)
{
	symbols_release(&automaton->symbols);
	set_release(&automaton->here);
	set_release(&automaton->there);
	for (int kind = 0; kind < KIND_COUNT; kind++)
		free(automaton->starts[kind].waiting);
	free(automaton->kinds);
	free(automaton->rows);
	free(automaton->states);
	free(automaton->pool);
	free(automaton->slots);
	free(automaton);
}
