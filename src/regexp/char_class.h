/* char_class.h - sets of code points as ranges: what [...], \d, \pL and (?i)k stand for. */
#ifndef CPPROF_REGEXP_CHAR_CLASS_H
#define CPPROF_REGEXP_CHAR_CLASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define CODE_POINT_MAX 0x10FFFFu

struct char_range {
	uint32_t low, high; /* both inside */
};

/* "Clean" is: sorted, and neither overlapping nor touching. Adding leaves a class unclean. It may clean on the way: so a
 * class takes some 16 MB at most, whatever is added how often. */
struct char_class {
	struct char_range *ranges;
	size_t count, capacity;
};

void char_class_release(struct char_class *class);
void char_class_add(struct char_class *class, uint32_t low, uint32_t high);
/* The same with all that simple case folding makes equal. */
void char_class_add_folded(struct char_class *class, uint32_t low, uint32_t high);
void char_class_add_ranges(struct char_class *class, const struct char_range *ranges, size_t count);
void char_class_clean(struct char_class *class);
/* Turns a clean class into its complement, which is clean. */
void char_class_negate(struct char_class *class);
/* Closes the class under simple case folding and cleans it. */
void char_class_fold(struct char_class *class);
/* Binary search in clean ranges. */
bool char_ranges_contain(const struct char_range *ranges, size_t count, uint32_t character);

/* The next code point in the cycle of those that simple case folding makes equal; the same if there is no other. */
uint32_t unicode_fold_next(uint32_t character);

#define UNICODE_CLASS_BITS 34 /* an id is below 2 to that */

/* The id of what \p{name} stands for: a category, its long name, a script, Any, Assigned or ASCII; letter case, spaces, '-'
 * and '_' in the name do not count. 0 if there is no such name. */
uint64_t unicode_class_find(struct str name);
/* Adds the class with the id. With `folded`, as under (?i). The class must be empty and becomes clean. */
void unicode_class_add(struct char_class *class, uint64_t id, bool folded);

#endif
