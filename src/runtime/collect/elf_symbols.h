/* elf_symbols.h - names for addresses from a symbol table, in one pass over it and with no memory but the caller's.
 *
 * The table is streamed past the sorted addresses: nothing is kept of it but each address's best symbol, so that a table of a
 * million symbols costs no memory. Every file is hostile. Not here: lines (helper.h), and where files lie (names.c).
 */
#ifndef CPPROF_RUNTIME_COLLECT_ELF_SYMBOLS_H
#define CPPROF_RUNTIME_COLLECT_ELF_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/collect/elf_image.h"

#define ELF_SYMBOL_NAME_MAX 4096 /* with the zero byte; longer names are not taken */

struct symbol_query {
	uint64_t address; /* as the object's symbols have it; queries are sorted by it, each address once */
	/* The symbol that was found. */
	const char *name; /* in the pool; NULL = none */
	uint64_t start;
	/* Of the search: the best symbol that covers the address, and the nearest that begins at or below it. */
	struct symbol_candidate {
		uint64_t value, size, string;
		uint32_t section;
		uint32_t rank; /* 0 = none */
	} covering, below;
};

/* Memory for one search; no more is asked for, so a descriptor may be open meanwhile. */
struct symbol_pool {
	char *names;
	size_t name_size, name_used;
	unsigned char *block; /* for reading */
	size_t block_size;    /* at least ELF_SYMBOL_NAME_MAX * 2 */
};

/* .symtab of the open file, else .dynsym. `build_id`: hex that the file must have if it has any, "" = any. False: this is
 * no such file, or it has no symbols, and nothing was found. Fills the queries that have no name yet. */
bool elf_symbols_from_file(int fd, const char *build_id, struct symbol_query *queries, size_t count,
                           struct symbol_pool *pool);
/* The dynamic symbols of the loaded image. */
bool elf_symbols_from_image(const struct elf_image *image, struct symbol_query *queries, size_t count,
                            struct symbol_pool *pool);

#endif
