/* symbols.c - the coarsest partition of the code points that every class is a union of.
 *
 * It takes time in proportion to the ranges of all classes, however much these overlap: splitting the partition by one class
 * after the other would not.
 */
#include "regexp/symbols.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/xalloc.h"

/* --- runs ---------------------------------------------------------------------------------------------------------- */

#define BIT_WORDS ((CODE_POINT_MAX + 1) / 64)

/* Where runs start, as bits; and how many do before each word. */
struct boundaries {
	uint64_t bits[BIT_WORDS];
	uint32_t before[BIT_WORDS];
};

static void mark(struct boundaries *boundaries, uint32_t character)
{
	boundaries->bits[character / 64] |= UINT64_C(1) << character % 64;
}

/* The number of the run that starts with the character. */
static size_t run_at(const struct boundaries *boundaries, uint32_t character)
{
	uint64_t lower = boundaries->bits[character / 64] & ((UINT64_C(1) << character % 64) - 1);
	return boundaries->before[character / 64] + (size_t)__builtin_popcountll(lower);
}

/* Runs begin at 0, where a range of some class begins, and after its end. */
static void find_boundaries(struct boundaries *boundaries, const struct class_list *classes)
{
	mark(boundaries, 0);
	for (size_t i = 0; i < classes->count; i++) {
		const struct class_view *class = &classes->classes[i];
		for (size_t j = 0; j < class->count; j++) {
			mark(boundaries, class->ranges[j].low);
			if (class->ranges[j].high < CODE_POINT_MAX)
				mark(boundaries, class->ranges[j].high + 1);
		}
	}
}

static void find_starts(struct symbols *symbols, struct boundaries *boundaries)
{
	uint32_t count = 0;
	for (size_t i = 0; i < BIT_WORDS; i++) {
		boundaries->before[i] = count;
		count += (uint32_t)__builtin_popcountll(boundaries->bits[i]);
	}
	symbols->run_count = count;
	symbols->starts = xreallocarray(NULL, count, sizeof(*symbols->starts));
	uint32_t *start = symbols->starts;
	for (uint32_t i = 0; i < BIT_WORDS; i++) {
		for (uint64_t left = boundaries->bits[i]; left; left &= left - 1)
			*start++ = i * 64 + (uint32_t)__builtin_ctzll(left);
	}
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

/* --- which runs are one symbol ------------------------------------------------------------------------------------- */

/* The sum of the hashes of those classes that have a run inside: runs are of one symbol if they have the same. That of
 * two different sets is the same with a probability of 2 to the -128; who computes such classes fools his own pattern. */
struct signature {
	uint64_t low, high;
};

/* Adds up, per run, the hashes of the classes that begin with it, less those of the classes that end before it. */
static void add_changes(struct signature *signatures, const struct boundaries *boundaries,
                        const struct class_list *classes)
{
	for (size_t i = 0; i < classes->count; i++) {
		const struct class_view *class = &classes->classes[i];
		XXH128_hash_t hash = XXH3_128bits(&i, sizeof(i));
		for (size_t j = 0; j < class->count; j++) {
			struct signature *begin = &signatures[run_at(boundaries, class->ranges[j].low)];
			begin->low += hash.low64;
			begin->high += hash.high64;
			if (class->ranges[j].high == CODE_POINT_MAX)
				continue;
			struct signature *after = &signatures[run_at(boundaries, class->ranges[j].high + 1)];
			after->low -= hash.low64;
			after->high -= hash.high64;
		}
	}
}

/* Numbers the symbols from 0 in the order in which they first occur. */
static void number_symbols(struct symbols *symbols, const struct signature *signatures)
{
	size_t size = 2;
	while (size < 2 * symbols->run_count)
		size *= 2;
	/* 1 + a run of the symbol; open addressing. */
	uint32_t *slots = xcalloc(size, sizeof(*slots));
	for (size_t run = 0; run < symbols->run_count; run++) {
		struct signature signature = signatures[run];
		size_t at = (size_t)signature.low & (size - 1);
		while (slots[at] &&
		       (signatures[slots[at] - 1].low != signature.low || signatures[slots[at] - 1].high != signature.high))
			at = (at + 1) & (size - 1);
		if (slots[at]) {
			symbols->of_run[run] = symbols->of_run[slots[at] - 1];
			continue;
		}
		slots[at] = (uint32_t)run + 1;
		symbols->of_run[run] = symbols->count;
		symbols->examples[symbols->count++] = symbols->starts[run];
	}
	free(slots);
}

void symbols_init(struct symbols *symbols, const struct class_list *classes)
{
	*symbols = (struct symbols){ 0 };
	struct boundaries *boundaries = xcalloc(1, sizeof(*boundaries));
	find_boundaries(boundaries, classes);
	find_starts(symbols, boundaries);
	struct signature *signatures = xcalloc(symbols->run_count, sizeof(*signatures));
	add_changes(signatures, boundaries, classes);
	for (size_t run = 1; run < symbols->run_count; run++) {
		signatures[run].low += signatures[run - 1].low;
		signatures[run].high += signatures[run - 1].high;
	}
	symbols->of_run = xreallocarray(NULL, symbols->run_count, sizeof(*symbols->of_run));
	symbols->examples = xreallocarray(NULL, symbols->run_count, sizeof(*symbols->examples));
	number_symbols(symbols, signatures);
	free(signatures);
	free(boundaries);
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
