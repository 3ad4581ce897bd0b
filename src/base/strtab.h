/* strtab.h - a string table: each distinct string once, named by a dense index.
 *
 * Index 0 is always the empty string. Equal indices mean equal bytes and the reverse, so that string comparison
 * for equality is comparison of integers everywhere above.
 */
#ifndef CPPROF_BASE_STRTAB_H
#define CPPROF_BASE_STRTAB_H

#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

struct strtab_slot {
	uint32_t index_plus_1; /* 0 = empty */
	uint32_t hash;         /* compared before the strings are */
};

struct strtab {
	struct str *strings; /* malloc'ed; the bytes belong to an arena or to the caller */
	uint32_t count;
	uint32_t capacity;
	struct strtab_slot *slots; /* open addressing */
	uint32_t slot_mask;
};

/* Makes a table with room for `expected` strings before it grows. */
void strtab_init(struct strtab *table, uint32_t expected);
void strtab_release(struct strtab *table);
/* A table of its own over the same bytes, which must outlive it. */
void strtab_copy(struct strtab *table, const struct strtab *from);

/* The index of the string, which is added if it is new. With an arena the bytes are copied there; with NULL they are
 * referred to and must outlive the table. */
uint32_t strtab_add(struct strtab *table, struct arena *arena, struct str text);
/* The index of the string, or UINT32_MAX if it is not in the table. */
uint32_t strtab_find(const struct strtab *table, struct str text);

#endif
