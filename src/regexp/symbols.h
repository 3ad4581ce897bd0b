/* symbols.h - the code points as few symbols: those that no class of a pattern tells apart are one. */
#ifndef CPPROF_REGEXP_SYMBOLS_H
#define CPPROF_REGEXP_SYMBOLS_H

#include "regexp/char_class.h"

/* Clean ranges that somebody else owns. */
struct class_view {
	const struct char_range *ranges;
	size_t count;
};

struct class_list {
	struct class_view *classes;
	size_t count, capacity;
};

struct symbols {
	uint32_t count;
	uint32_t *examples; /* per symbol, one of its code points */
	uint32_t ascii[128];
	/* All code points in order: where each run of one symbol starts. */
	uint32_t *starts, *of_run;
	size_t run_count;
};

void symbols_init(struct symbols *symbols, const struct class_list *classes);
void symbols_release(struct symbols *symbols);
uint32_t symbols_find(const struct symbols *symbols, uint32_t character);

#endif
