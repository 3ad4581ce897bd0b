/* dwarf.c - from an address to its unit, its function, the calls inlined there, and the line.
 *
 * .debug_aranges is not used: not every compiler writes it. Debug information is as hostile as any input: entries are walked
 * once each, when the first address falls into their unit or function, with ceilings for all walks of a file together; then
 * every address is found by binary search.
 */
#include "symbolize/dwarf.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>

#include "base/xalloc.h"

#define DEPTH_MAX 100
/* Entries and ranges read of one file, against loops and bombs; a browser with full debug information stays far below. */
#define VISIT_BUDGET ((uint64_t)100 * 1000 * 1000)
/* Ranges kept of one file: many entries may share a list of ranges. A browser has 2 million functions. */
#define RANGES_MAX ((uint64_t)4 * 1024 * 1024)

/* --- ranges -------------------------------------------------------------------------------------------------------- */

struct range {
	uint64_t low, high; /* [low, high) */
	size_t owner_ix;
};

struct ranges {
	struct range *items;
	size_t count, capacity;
};

static void ranges_add(struct ranges *ranges, uint64_t low, uint64_t high, size_t owner_ix)
{
	ranges->items = xgrow(ranges->items, ranges->count, &ranges->capacity, sizeof(*ranges->items));
	ranges->items[ranges->count++] = (struct range){ low, high, owner_ix };
}

static int compare_ranges(const void *one, const void *two)
{
	const struct range *a = one, *b = two;
	if (a->low != b->low)
		return a->low < b->low ? -1 : 1;
	return a->owner_ix > b->owner_ix ? -1 : a->owner_ix < b->owner_ix;
}

/* Ranges that have begun, the one of the greatest owner first: a heap of indices. */
struct open_ranges {
	const struct range *items;
	size_t *heap;
	size_t count;
};

static bool is_before(const struct open_ranges *open, size_t a, size_t b)
{
	return open->items[open->heap[a]].owner_ix > open->items[open->heap[b]].owner_ix;
}

static void swap(struct open_ranges *open, size_t a, size_t b)
{
	size_t kept = open->heap[a];
	open->heap[a] = open->heap[b];
	open->heap[b] = kept;
}

static void push(struct open_ranges *open, size_t ix)
{
	size_t at = open->count++;
	open->heap[at] = ix;
	for (; at && is_before(open, at, (at - 1) / 2); at = (at - 1) / 2)
		swap(open, at, (at - 1) / 2);
}

static void pop(struct open_ranges *open)
{
	open->heap[0] = open->heap[--open->count];
	for (size_t at = 0;;) {
		size_t first = at;
		for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < open->count; child++) {
			if (is_before(open, child, first))
				first = child;
		}
		if (first == at)
			return;
		swap(open, at, first);
		at = first;
	}
}

/* The open range of the greatest owner that reaches beyond the position, or NULL. */
static const struct range *top_range(struct open_ranges *open, uint64_t position)
{
	while (open->count && open->items[open->heap[0]].high <= position)
		pop(open);
	return open->count ? &open->items[open->heap[0]] : NULL;
}

/* Adds to `flat` what the open ranges cover from `position` to `limit`. */
static void cover(struct open_ranges *open, uint64_t position, uint64_t limit, struct ranges *flat)
{
	const struct range *top;
	while (position < limit && (top = top_range(open, position))) {
		uint64_t end = top->high < limit ? top->high : limit;
		ranges_add(flat, position, end, top->owner_ix);
		position = end;
	}
}

/* Sorts, and cuts up what overlaps, so that each address has one range: that of the greatest owner. Owners are numbered with
 * the outer before the inner. */
static void ranges_flatten(struct ranges *ranges)
{
	if (ranges->count == 0)
		return;
	qsort(ranges->items, ranges->count, sizeof(*ranges->items), compare_ranges);
	struct open_ranges open = { .items = ranges->items, .heap = xcalloc(ranges->count, sizeof(*open.heap)) };
	struct ranges flat = { 0 };
	uint64_t position = 0;
	for (size_t i = 0; i < ranges->count; i++) {
		const struct range *range = &ranges->items[i];
		cover(&open, position, range->low, &flat);
		position = range->low;
		/* What is hidden for all its length need not be kept. */
		const struct range *top = top_range(&open, position);
		if (!top || top->owner_ix < range->owner_ix || top->high < range->high)
			push(&open, i);
	}
	cover(&open, position, UINT64_MAX, &flat);
	free(open.heap);
	free(ranges->items);
	*ranges = flat;
}

/* The range that holds the address, or NULL. */
static const struct range *ranges_find(const struct ranges *ranges, uint64_t address)
{
	size_t low = 0, high = ranges->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (ranges->items[middle].high <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < ranges->count && ranges->items[low].low <= address ? &ranges->items[low] : NULL;
}

/* --- units --------------------------------------------------------------------------------------------------------- */

#define NO_CALL SIZE_MAX

struct call {
	Dwarf_Die die;
	size_t parent_ix; /* the call that this one was inlined into, or NO_CALL */
};

/* The calls inlined into a function, the outer before the inner. */
struct inlining {
	struct call *calls;
	size_t count, capacity;
	struct ranges ranges; /* of calls */
};

struct function {
	Dwarf_Die die;
	struct inlining *inlining; /* NULL until an address falls into it */
};

struct unit {
	Dwarf_Die die;   /* holds the line table */
	Dwarf_Die split; /* holds the functions: of the .dwo file, or the same */
	bool is_read;
	struct function *functions;
	size_t function_count, function_capacity;
	struct ranges ranges; /* of functions */
};

struct dwarf_reader {
	Dwarf *dwarf;
	struct unit *units;
	size_t unit_count, unit_capacity;
	struct ranges ranges; /* of units */
	uint64_t visit_budget, range_budget;
	bool is_cut;
};

/* Whether one more entry or range may be read. */
static bool charge(struct dwarf_reader *reader)
{
	if (reader->visit_budget == 0) {
		reader->is_cut = true;
		return false;
	}
	reader->visit_budget--;
	return true;
}

/* Returns whether the entry has any ranges. */
static bool add_ranges(struct dwarf_reader *reader, struct ranges *ranges, Dwarf_Die *die, size_t owner_ix)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t at = 0;
	size_t before = ranges->count;
	while ((at = dwarf_ranges(die, at, &base, &low, &high)) > 0 && charge(reader)) {
		/* Code that the linker threw away was left at address 0 or at the very end. */
		if (low >= high || low == 0)
			continue;
		if (reader->range_budget == 0) {
			reader->is_cut = true;
			break;
		}
		reader->range_budget--;
		ranges_add(ranges, low, high, owner_ix);
	}
	return ranges->count > before;
}

static void read_units(struct dwarf_reader *reader)
{
	Dwarf_CU *cu = NULL;
	uint8_t kind;
	Dwarf_Die die, split;
	while (dwarf_get_units(reader->dwarf, cu, &cu, NULL, &kind, &die, &split) == 0) {
		if (kind != DW_UT_compile && kind != DW_UT_skeleton)
			continue;
		reader->units = xgrow(reader->units, reader->unit_count, &reader->unit_capacity, sizeof(*reader->units));
		struct unit *unit = &reader->units[reader->unit_count++];
		*unit = (struct unit){ .die = die, .split = kind == DW_UT_skeleton && split.addr ? split : die };
		add_ranges(reader, &reader->ranges, &die, reader->unit_count - 1);
	}
	ranges_flatten(&reader->ranges);
}

static bool may_hold_functions(int tag)
{
	switch (tag) {
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_enumeration_type: /* Rust has methods there */
	case DW_TAG_subprogram:
	case DW_TAG_lexical_block:
		return true;
	default:
		return false;
	}
}

static void collect_functions(struct dwarf_reader *reader, struct unit *unit, Dwarf_Die *parent, int depth)
{
	Dwarf_Die die;
	if (depth > DEPTH_MAX || dwarf_child(parent, &die) != 0)
		return;
	do {
		if (!charge(reader))
			return;
		int tag = dwarf_tag(&die);
		if (tag == DW_TAG_subprogram && add_ranges(reader, &unit->ranges, &die, unit->function_count)) {
			unit->functions =
					xgrow(unit->functions, unit->function_count, &unit->function_capacity, sizeof(*unit->functions));
			unit->functions[unit->function_count++] = (struct function){ .die = die };
		}
		if (may_hold_functions(tag))
			collect_functions(reader, unit, &die, depth + 1);
	} while (dwarf_siblingof(&die, &die) == 0);
}

static struct unit *find_unit(struct dwarf_reader *reader, uint64_t address)
{
	const struct range *range = ranges_find(&reader->ranges, address);
	if (!range)
		return NULL;
	struct unit *unit = &reader->units[range->owner_ix];
	if (!unit->is_read) {
		unit->is_read = true;
		collect_functions(reader, unit, &unit->split, 0);
		ranges_flatten(&unit->ranges);
	}
	return unit;
}

static void collect_calls(struct dwarf_reader *reader, struct inlining *inlining, Dwarf_Die *parent, size_t parent_ix,
                          int depth)
{
	Dwarf_Die die;
	if (depth > DEPTH_MAX + FRAMES_MAX || dwarf_child(parent, &die) != 0)
		return;
	do {
		if (!charge(reader))
			return;
		size_t call_ix = parent_ix;
		switch (dwarf_tag(&die)) {
		case DW_TAG_inlined_subroutine:
			if (!add_ranges(reader, &inlining->ranges, &die, inlining->count))
				break;
			inlining->calls = xgrow(inlining->calls, inlining->count, &inlining->capacity, sizeof(*inlining->calls));
			call_ix = inlining->count++;
			inlining->calls[call_ix] = (struct call){ die, parent_ix };
			collect_calls(reader, inlining, &die, call_ix, depth + 1);
			break;
		case DW_TAG_lexical_block:
		case DW_TAG_try_block:
		case DW_TAG_catch_block:
			collect_calls(reader, inlining, &die, parent_ix, depth + 1);
			break;
		default:
			break;
		}
	} while (dwarf_siblingof(&die, &die) == 0);
}

/* The innermost call inlined at the address, or NO_CALL. */
static size_t find_call(struct dwarf_reader *reader, struct function *function, uint64_t address)
{
	if (!function->inlining) {
		function->inlining = xcalloc(1, sizeof(*function->inlining));
		collect_calls(reader, function->inlining, &function->die, NO_CALL, 0);
		ranges_flatten(&function->inlining->ranges);
	}
	const struct range *range = ranges_find(&function->inlining->ranges, address);
	return range ? range->owner_ix : NO_CALL;
}

struct dwarf_reader *dwarf_reader_new(Elf *elf)
{
	Dwarf *dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
	if (!dwarf)
		return NULL;
	struct dwarf_reader *reader = xcalloc(1, sizeof(*reader));
	reader->dwarf = dwarf;
	reader->visit_budget = VISIT_BUDGET;
	reader->range_budget = RANGES_MAX;
	read_units(reader);
	return reader;
}

static void free_unit(struct unit *unit)
{
	for (size_t i = 0; i < unit->function_count; i++) {
		struct inlining *inlining = unit->functions[i].inlining;
		if (!inlining)
			continue;
		free(inlining->calls);
		free(inlining->ranges.items);
		free(inlining);
	}
	free(unit->functions);
	free(unit->ranges.items);
}

void dwarf_reader_free(struct dwarf_reader *reader)
{
	if (!reader)
		return;
	for (size_t i = 0; i < reader->unit_count; i++)
		free_unit(&reader->units[i]);
	free(reader->units);
	free(reader->ranges.items);
	dwarf_end(reader->dwarf);
	free(reader);
}

bool dwarf_reader_is_cut(const struct dwarf_reader *reader)
{
	return reader->is_cut;
}

/* --- frames -------------------------------------------------------------------------------------------------------- */

static int64_t number_of(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;
	if (!dwarf_attr_integrate(die, name, &attribute) || dwarf_formudata(&attribute, &value) != 0 || value > INT32_MAX)
		return 0;
	return (int64_t)value;
}

static const char *function_name(Dwarf_Die *die)
{
	static const unsigned int names[] = { DW_AT_linkage_name, DW_AT_MIPS_linkage_name, DW_AT_name };
	for (size_t i = 0; i < 3; i++) {
		Dwarf_Attribute attribute;
		const char *text = dwarf_attr_integrate(die, names[i], &attribute) ? dwarf_formstring(&attribute) : NULL;
		if (text && *text)
			return text;
	}
	return NULL;
}

/* Some compilers name files relative to the directory that they ran in. */
static void set_file(struct unit *unit, const char *file, struct frame *frame)
{
	Dwarf_Attribute attribute;
	frame->file = file;
	if (file && *file != '/' && dwarf_attr(&unit->die, DW_AT_comp_dir, &attribute))
		frame->directory = dwarf_formstring(&attribute);
}

/* Line of the innermost frame: from the line table. */
static void line_at(struct unit *unit, uint64_t address, struct frame *frame)
{
	Dwarf_Line *row = dwarf_getsrc_die(&unit->die, address);
	int number;
	if (!row)
		return;
	set_file(unit, dwarf_linesrc(row, NULL, NULL), frame);
	if (dwarf_lineno(row, &number) == 0)
		frame->line = number;
	if (dwarf_linecol(row, &number) == 0)
		frame->column = number;
}

/* Line of a frame that another was inlined into: where `call` says that it was called. */
static void line_of_call(struct unit *unit, Dwarf_Die *call, struct frame *frame)
{
	Dwarf_Files *files;
	size_t file_count, file_ix = (size_t)number_of(call, DW_AT_call_file);
	if (dwarf_getsrcfiles(&unit->split, &files, &file_count) == 0 && file_ix < file_count)
		set_file(unit, dwarf_filesrc(files, file_ix, NULL, NULL), frame);
	frame->line = number_of(call, DW_AT_call_line);
	frame->column = number_of(call, DW_AT_call_column);
}

/* Fills `chain` with the calls inlined at the address, innermost first, and the function itself; returns how many. */
static size_t chain_of(struct dwarf_reader *reader, struct unit *unit, uint64_t address, Dwarf_Die chain[FRAMES_MAX])
{
	const struct range *range = ranges_find(&unit->ranges, address);
	if (!range)
		return 0;
	struct function *function = &unit->functions[range->owner_ix];
	size_t count = 0, call_ix = find_call(reader, function, address);
	for (; call_ix != NO_CALL && count < FRAMES_MAX - 1; call_ix = function->inlining->calls[call_ix].parent_ix)
		chain[count++] = function->inlining->calls[call_ix].die;
	chain[count++] = function->die;
	return count;
}

size_t dwarf_frames(struct dwarf_reader *reader, uint64_t address, struct frame frames[FRAMES_MAX])
{
	struct unit *unit = find_unit(reader, address);
	if (!unit)
		return 0;
	Dwarf_Die chain[FRAMES_MAX];
	size_t count = chain_of(reader, unit, address, chain);
	frames[0] = (struct frame){ 0 };
	line_at(unit, address, &frames[0]);
	for (size_t i = 0; i < count; i++) {
		if (i > 0) {
			frames[i] = (struct frame){ 0 };
			line_of_call(unit, &chain[i - 1], &frames[i]);
		}
		frames[i].function = str_of(function_name(&chain[i]));
		frames[i].start_line = number_of(&chain[i], DW_AT_decl_line);
	}
	if (count == 0 && (frames[0].file || frames[0].line))
		count = 1;
	return count;
}
