/* char_class.c - sets of code points as ranges. */
#include "regexp/char_class.h"

#include <stdlib.h>

#include "base/xalloc.h"

void char_class_release(struct char_class *class)
{
	free(class->ranges);
	*class = (struct char_class){ 0 };
}

/* Where a class may first be cleaned because it grows. */
#define CLEAN_MIN ((size_t)1 << 16)

/* Room for one more range. A large class doubles only if it is still large when clean, and clean it has at most half as many
 * ranges as there are code points. */
static void make_room(struct char_class *class)
{
	if (class->count == class->capacity && class->count >= CLEAN_MIN) {
		char_class_clean(class);
		if (class->count <= class->capacity / 2)
			return;
	}
	class->ranges = xgrow(class->ranges, class->count, &class->capacity, sizeof(*class->ranges));
}

void char_class_add(struct char_class *class, uint32_t low, uint32_t high)
{
	if (class->count > 0) {
		/* Ranges mostly come in order: growing the last one saves the sort its work. */
		struct char_range *last = &class->ranges[class->count - 1];
		if (low >= last->low && low <= last->high + 1) {
			if (high > last->high)
				last->high = high;
			return;
		}
	}
	make_room(class);
	class->ranges[class->count++] = (struct char_range){ low, high };
}

void char_class_add_ranges(struct char_class *class, const struct char_range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		char_class_add(class, ranges[i].low, ranges[i].high);
}

static int compare_ranges(const void *left, const void *right)
{
	const struct char_range *a = left, *b = right;
	return a->low < b->low ? -1 : a->low > b->low;
}

static bool is_sorted(const struct char_class *class)
{
	for (size_t i = 1; i < class->count; i++) {
		if (class->ranges[i].low < class->ranges[i - 1].low)
			return false;
	}
	return true;
}

void char_class_clean(struct char_class *class)
{
	if (class->count < 2)
		return;
	if (!is_sorted(class))
		qsort(class->ranges, class->count, sizeof(*class->ranges), compare_ranges);
	size_t kept = 1;
	for (size_t i = 1; i < class->count; i++) {
		struct char_range *last = &class->ranges[kept - 1];
		const struct char_range *range = &class->ranges[i];
		if (range->low > last->high + 1)
			class->ranges[kept++] = *range;
		else if (range->high > last->high)
			last->high = range->high;
	}
	class->count = kept;
}

void char_class_negate(struct char_class *class)
{
	struct char_class negated = { 0 };
	uint32_t next = 0;
	for (size_t i = 0; i < class->count; i++) {
		if (next < class->ranges[i].low)
			char_class_add(&negated, next, class->ranges[i].low - 1);
		next = class->ranges[i].high + 1;
	}
	if (next <= CODE_POINT_MAX)
		char_class_add(&negated, next, CODE_POINT_MAX);
	char_class_release(class);
	*class = negated;
}

void char_class_fold(struct char_class *class)
{
	struct char_class folded = { 0 };
	for (size_t i = 0; i < class->count; i++)
		char_class_add_folded(&folded, class->ranges[i].low, class->ranges[i].high);
	char_class_clean(&folded);
	char_class_release(class);
	*class = folded;
}

bool char_ranges_contain(const struct char_range *ranges, size_t count, uint32_t character)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (character > ranges[middle].high)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && ranges[low].low <= character;
}
