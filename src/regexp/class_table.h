/* class_table.h - the classes of one pattern, each held once, however often the pattern has it.
 *
 * A few bytes of pattern stand for hundreds of ranges (\pL), so neither space nor time may be spent on each place where a
 * class occurs.
 */
#ifndef CPPROF_REGEXP_CLASS_TABLE_H
#define CPPROF_REGEXP_CLASS_TABLE_H

#include "base/arena.h"
#include "base/id_map.h"
#include "regexp/char_class.h"

struct shared_class {
	const struct char_range *ranges; /* clean */
	size_t count;
	uint64_t added_to; /* the last class being built (their numbers are the parser's) that has it inside */
	uint32_t class_id; /* 1 + its number in the program, once it has one */
};

struct class_table {
	struct arena *arena; /* where the classes live, longer than the table */
	struct id_map by_hash, by_name;
	struct shared_class **classes;
	size_t count, capacity;
};

void class_table_init(struct class_table *table, struct arena *arena);
void class_table_release(struct class_table *table);
/* The one that has the ranges of the class, which must be clean. */
struct shared_class *class_table_intern(struct class_table *table, const struct char_class *class);
/* The class that was given the name, a number of the caller's; NULL if none was. */
struct shared_class *class_table_named(const struct class_table *table, uint64_t name);
/* The same as class_table_intern, and gives it the name. */
struct shared_class *class_table_name(struct class_table *table, uint64_t name, const struct char_class *class);

#endif
