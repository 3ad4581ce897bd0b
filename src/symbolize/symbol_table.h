/* symbol_table.h - the symbol table of an object file, sorted once, looked up by bisection. */
#ifndef CPPROF_SYMBOLIZE_SYMBOL_TABLE_H
#define CPPROF_SYMBOLIZE_SYMBOL_TABLE_H

#include <gelf.h>
#include <stdbool.h>
#include <stdint.h>

struct symbol {
	uint64_t address, size;
	const char *name; /* lives as long as the Elf */
	const char *file; /* of a local symbol: the object or source file it came from; NULL = unknown */
	uint32_t table_ix;
	bool is_data;
};

struct symbol_table {
	struct symbol *items;
	size_t count;
	bool is_complete; /* has local symbols too: then code between two symbols is the former's, as good as any guess */
};

/* From .symtab, or .dynsym where that is missing. Undefined symbols, files and sections are left out. */
void symbol_table_read(struct symbol_table *symbols, Elf *elf);
void symbol_table_release(struct symbol_table *symbols);
/* The symbol that the address lies in, or NULL. With `guess` code behind a function's end is that function's as well, if
 * the table is complete and another symbol follows. */
const struct symbol *symbol_table_find(const struct symbol_table *symbols, uint64_t address, bool guess);

#endif
