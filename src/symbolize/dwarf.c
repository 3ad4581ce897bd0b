/* dwarf.c - from an address to its unit, its function, the calls inlined there, and the line.
 *
 * .debug_aranges is not used: not every compiler writes it. Debug information is as hostile as any input, so walks are
 * bounded in depth and in the number of entries they may visit.
 */
#include "symbolize/dwarf.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/xalloc.h"

#define DEPTH_MAX 100
/* Entries visited in one file, against loops and bombs; a browser with full debug information stays far below. */
#define VISIT_BUDGET ((uint64_t)100 * 1000 * 1000)
/* Ranges looked at below the first that starts at or before the address. */
#define OVERLAP_MAX 64

/* --- ranges -------------------------------------------------------------------------------------------------------- */

struct range {
	uint64_t low, high; /* [low, high) */
	uint64_t reach;     /* the greatest `high` up to here */
	size_t owner_ix;
};

struct ranges {
	struct range *items;
	size_t count, capacity;
};

static void ranges_add(struct ranges *ranges, uint64_t low, uint64_t high, size_t owner_ix)
{
	/* Code that the linker threw away was left at address 0 or at the very end. */
	if (low >= high || low == 0)
		return;
	ranges->items = xgrow(ranges->items, ranges->count, &ranges->capacity, sizeof(*ranges->items));
	ranges->items[ranges->count++] = (struct range){ low, high, 0, owner_ix };
}

static bool ranges_add_die(struct ranges *ranges, Dwarf_Die *die, size_t owner_ix)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t at = 0;
	size_t before = ranges->count;
	while (ranges->count - before < UINT16_MAX && (at = dwarf_ranges(die, at, &base, &low, &high)) > 0)
		ranges_add(ranges, low, high, owner_ix);
	return ranges->count > before;
}

static int compare_ranges(const void *one, const void *two)
{
	const struct range *a = one, *b = two;
	if (a->low != b->low)
		return a->low < b->low ? -1 : 1;
	/* The narrower last: it is found first. */
	return a->high > b->high ? -1 : a->high < b->high;
}

static void ranges_sort(struct ranges *ranges)
{
	if (ranges->count == 0)
		return;
	qsort(ranges->items, ranges->count, sizeof(*ranges->items), compare_ranges);
	uint64_t reach = 0;
	for (size_t i = 0; i < ranges->count; i++) {
		if (ranges->items[i].high > reach)
			reach = ranges->items[i].high;
		ranges->items[i].reach = reach;
	}
}

/* The innermost range that holds the address, or NULL. */
static const struct range *ranges_find(const struct ranges *ranges, uint64_t address)
{
	size_t low = 0, high = ranges->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (ranges->items[middle].low <= address)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t steps = 0; low > 0 && steps < OVERLAP_MAX; low--, steps++) {
		const struct range *range = &ranges->items[low - 1];
		if (range->high > address)
			return range;
		if (range->reach <= address)
			return NULL;
	}
	return NULL;
}

/* --- units --------------------------------------------------------------------------------------------------------- */

struct unit {
	Dwarf_Die die;   /* holds the line table */
	Dwarf_Die split; /* holds the functions: of the .dwo file, or the same */
	bool is_read;
	struct ranges functions;
	Dwarf_Die *function_dies;
	size_t function_count, function_capacity;
};

struct dwarf_reader {
	Dwarf *dwarf;
	struct unit *units;
	size_t unit_count, unit_capacity;
	struct ranges ranges; /* of units */
	uint64_t budget;
};

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
		ranges_add_die(&reader->ranges, &die, reader->unit_count - 1);
	}
	ranges_sort(&reader->ranges);
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
		if (reader->budget == 0)
			return;
		reader->budget--;
		int tag = dwarf_tag(&die);
		if (tag == DW_TAG_subprogram && ranges_add_die(&unit->functions, &die, unit->function_count)) {
			unit->function_dies = xgrow(unit->function_dies, unit->function_count, &unit->function_capacity,
			                            sizeof(*unit->function_dies));
			unit->function_dies[unit->function_count++] = die;
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
		ranges_sort(&unit->functions);
	}
	return unit;
}

struct dwarf_reader *dwarf_reader_new(Elf *elf)
{
	Dwarf *dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
	if (!dwarf)
		return NULL;
	struct dwarf_reader *reader = xcalloc(1, sizeof(*reader));
	reader->dwarf = dwarf;
	reader->budget = VISIT_BUDGET;
	read_units(reader);
	return reader;
}

void dwarf_reader_free(struct dwarf_reader *reader)
{
	if (!reader)
		return;
	for (size_t i = 0; i < reader->unit_count; i++) {
		free(reader->units[i].functions.items);
		free(reader->units[i].function_dies);
	}
	free(reader->units);
	free(reader->ranges.items);
	dwarf_end(reader->dwarf);
	free(reader);
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

/* Appends to `chain` the inlined calls below `die` that hold the address, outermost first. */
static size_t inlined_calls(struct dwarf_reader *reader, Dwarf_Die *die, uint64_t address, Dwarf_Die *chain,
                            size_t count, int depth)
{
	Dwarf_Die child;
	if (depth > DEPTH_MAX + FRAMES_MAX || dwarf_child(die, &child) != 0)
		return count;
	do {
		if (reader->budget == 0)
			return count;
		reader->budget--;
		int tag = dwarf_tag(&child);
		bool is_call = tag == DW_TAG_inlined_subroutine;
		if (!is_call && tag != DW_TAG_lexical_block && tag != DW_TAG_try_block && tag != DW_TAG_catch_block)
			continue;
		if (dwarf_haspc(&child, address) <= 0)
			continue;
		if (is_call && count < FRAMES_MAX)
			chain[count++] = child;
		return inlined_calls(reader, &child, address, chain, count, depth + 1);
	} while (dwarf_siblingof(&child, &child) == 0);
	return count;
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

size_t dwarf_frames(struct dwarf_reader *reader, uint64_t address, struct frame frames[FRAMES_MAX])
{
	struct unit *unit = find_unit(reader, address);
	if (!unit)
		return 0;
	Dwarf_Die chain[FRAMES_MAX];
	size_t count = 0;
	const struct range *range = ranges_find(&unit->functions, address);
	if (range) {
		chain[count++] = unit->function_dies[range->owner_ix];
		count = inlined_calls(reader, &chain[0], address, chain, count, 0);
	}
	frames[0] = (struct frame){ 0 };
	line_at(unit, address, &frames[0]);
	for (size_t i = 0; i < count; i++) {
		Dwarf_Die *die = &chain[count - 1 - i];
		if (i > 0) {
			frames[i] = (struct frame){ 0 };
			line_of_call(unit, &chain[count - i], &frames[i]);
		}
		frames[i].function = function_name(die);
		frames[i].start_line = number_of(die, DW_AT_decl_line);
	}
	if (count == 0 && (frames[0].file || frames[0].line))
		count = 1;
	return count;
}
