/* symbols.c - the coarsest partition of the code points that every class is a union of. */
#include "regexp/symbols.h"

#include <stdlib.h>

#include "base/xalloc.h"

#define NONE UINT32_MAX

static int compare_starts(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	return a < b ? -1 : a > b;
}

/* Runs begin at 0, where a range of some class begins, and after its end. */
static void find_starts(struct symbols *symbols, const struct class_list *classes)
{
	size_t boundaries = 1;
	for (size_t i = 0; i < classes->count; i++)
		boundaries += 2 * classes->classes[i].count;
	uint32_t *starts = xreallocarray(NULL, boundaries, sizeof(*starts));
	size_t count = 0;
	starts[count++] = 0;
	for (size_t i = 0; i < classes->count; i++) {
		const struct class_view *class = &classes->classes[i];
		for (size_t j = 0; j < class->count; j++) {
			starts[count++] = class->ranges[j].low;
			if (class->ranges[j].high < CODE_POINT_MAX)
				starts[count++] = class->ranges[j].high + 1;
		}
	}
	qsort(starts, count, sizeof(*starts), compare_starts);
	size_t kept = 1;
	for (size_t i = 1; i < count; i++) {
		if (starts[i] != starts[kept - 1])
			starts[kept++] = starts[i];
	}
	symbols->starts = starts;
	symbols->run_count = kept;
}

static size_t find_run(const struct symbols *symbols, uint32_t character)
{
	size_t low = 0, high = symbols->run_count;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (symbols->starts[middle] <= character)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* Splitting: per symbol, how many runs have it, the class that splits it now, and the symbol of the part inside. */
struct parts {
	uint32_t *run_count, *splitter, *inside;
	uint32_t *unused; /* symbols that lost their last run */
	size_t unused_count;
	uint32_t next;
};

static void move_run(struct parts *parts, uint32_t *of_run, uint32_t class_ix)
{
	uint32_t symbol = *of_run;
	if (parts->splitter[symbol] != class_ix) {
		parts->splitter[symbol] = class_ix;
		uint32_t inside = parts->unused_count ? parts->unused[--parts->unused_count] : parts->next++;
		parts->inside[symbol] = inside;
		parts->run_count[inside] = 0;
	}
	*of_run = parts->inside[symbol];
	parts->run_count[*of_run]++;
	if (--parts->run_count[symbol] == 0)
		parts->unused[parts->unused_count++] = symbol;
}

static void split_by(struct symbols *symbols, struct parts *parts, const struct class_view *class, uint32_t class_ix)
{
	for (size_t i = 0; i < class->count; i++) {
		size_t run = find_run(symbols, class->ranges[i].low);
		while (run < symbols->run_count && symbols->starts[run] <= class->ranges[i].high)
			move_run(parts, &symbols->of_run[run++], class_ix);
	}
}

/* Numbers the symbols from 0 in the order in which they first occur. */
static void renumber(struct symbols *symbols, uint32_t *numbers)
{
	symbols->examples = xreallocarray(NULL, symbols->run_count, sizeof(*symbols->examples));
	for (size_t run = 0; run < symbols->run_count; run++) {
		uint32_t *number = &numbers[symbols->of_run[run]];
		if (*number == NONE) {
			*number = symbols->count;
			symbols->examples[symbols->count++] = symbols->starts[run];
		}
		symbols->of_run[run] = *number;
	}
}

void symbols_init(struct symbols *symbols, const struct class_list *classes)
{
	*symbols = (struct symbols){ 0 };
	find_starts(symbols, classes);
	/* One more than the runs: a part gets its symbol before the other one may lose its own. */
	size_t most = symbols->run_count + 1;
	symbols->of_run = xcalloc(symbols->run_count, sizeof(uint32_t));
	uint32_t *block = xreallocarray(NULL, most, 4 * sizeof(uint32_t));
	struct parts parts = { block, block + most, block + 2 * most, block + 3 * most, 0, 1 };
	parts.run_count[0] = (uint32_t)symbols->run_count;
	memset(parts.splitter, 0xFF, most * sizeof(uint32_t));
	for (size_t i = 0; i < classes->count; i++)
		split_by(symbols, &parts, &classes->classes[i], (uint32_t)i);
	memset(parts.inside, 0xFF, most * sizeof(uint32_t));
	renumber(symbols, parts.inside);
	free(block);
	for (uint32_t character = 0; character < 128; character++)
		symbols->ascii[character] = symbols->of_run[find_run(symbols, character)];
}

void symbols_release(struct symbols *symbols)
{
	free(symbols->examples);
	free(symbols->starts);
	free(symbols->of_run);
}

uint32_t symbols_find(const struct symbols *symbols, uint32_t character)
{
	return symbols->of_run[find_run(symbols, character)];
}
