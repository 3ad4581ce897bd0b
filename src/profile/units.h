/* units.h - quantities as text: scaling between units of memory, time and GCU, percentages.
 *
 * Time has no minutes and no days; memory steps by 1024. A unit that belongs to no family is kept as it is.
 */
#ifndef CPPROF_PROFILE_UNITS_H
#define CPPROF_PROFILE_UNITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/duration.h" /* for those who write quantities */
#include "base/str.h"

/* A unit looked up once, so that a report of a million values does not compare names for each. */
struct unit_family;
struct unit {
	const struct unit_family *family; /* NULL: none of the known ones */
	double factor;                    /* in units of the family's base (B, ns, GCU) */
	struct str name;                  /* as it was given */
};

struct unit unit_find(struct str name);

/* Both names in one family of units? */
bool units_related(struct str a, struct str b);

/* Scales a value; `to` may be "minimum" or "auto" (the largest unit that gives at least 1). *ret_unit is the unit of the
 * result, empty when it would not be shown. */
double unit_scale(int64_t value, struct str from, struct str to, struct str *ret_unit);

/* Longest text that unit_label and percentage_text write, without units of the caller's own (which are cut). */
#define UNIT_LABEL_SIZE 512
#define PERCENTAGE_SIZE 32

/* "1.10s", "62.50MB", "-4s", "0": the value scaled, two decimals, a trailing ".00" removed. Returns the length. */
size_t unit_label(char text[UNIT_LABEL_SIZE], int64_t value, struct str from, struct str to);
/* " 0.89%", "  100%": the share of |value| in |total|, padded to six characters as tables want it. */
size_t percentage_text(char text[PERCENTAGE_SIZE], int64_t value, int64_t total);

#endif
