/* symbol_table.h - the symbol table of an object file, sorted once, looked up by bisection. */
#ifndef CPPROF_SYMBOLIZE_SYMBOL_TABLE_H
#define CPPROF_SYMBOLIZE_SYMBOL_TABLE_H

#include <gelf.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct symbol {
	uint64_t address, size;
	struct str name;  /* without a version ("@@V1"); lives as long as the Elf */
	const char *file; /* of a local symbol: the object or source file it came from; NULL = unknown */
	uint32_t table_ix;
	uint32_t rank; /* of several at one address the lowest is kept */
	bool is_data;
};

struct symbol_table {
	struct symbol *items;
	size_t count;
	bool is_complete; /* has local symbols too: then code between two symbols is the former's, as good as any guess */
};

enum symbol_choice {
	SYMBOLS_OF_BINARY,     /* of several names for one address the last, as llvm-symbolizer does */
	SYMBOLS_OF_DEBUG_FILE, /* the one that people type: a global one, with the fewest leading underscores */
	SYMBOLS_GLOBAL,        /* the same, without local symbols: nearly what the binary's .dynsym holds */
};

/* From .symtab, or .dynsym where that is missing. Undefined symbols, files and sections are left out. */
void symbol_table_read(struct symbol_table *symbols, Elf *elf, enum symbol_choice choice);
void symbol_table_release(struct symbol_table *symbols);
/* The symbol that the address lies in, or NULL. With `guess` code behind a function's end is that function's as well, if
 * the table is complete and another symbol follows. */
const struct symbol *symbol_table_find(const struct symbol_table *symbols, uint64_t address, bool guess);

#endif
