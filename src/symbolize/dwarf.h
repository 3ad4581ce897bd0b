/* dwarf.h - source lines and inlined calls by address, from DWARF (libdw).
 *
 * The units' address ranges are sorted once; a unit's functions, and the calls inlined into a function, when an
 * address first falls into it.
 */
#ifndef CPPROF_SYMBOLIZE_DWARF_H
#define CPPROF_SYMBOLIZE_DWARF_H

#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* One call; a function inlined into another has a frame of its own. Texts live as long as the reader; NULL or empty = unknown. */
struct frame {
	struct str function;   /* the linker's name where there is one */
	const char *directory; /* that `file` is relative to; NULL if it is not */
	const char *file;
	int64_t line, column;
	int64_t start_line; /* where the function is declared */
};

/* Deeper inlining is cut at the outer end, before the function that all is inlined into. */
#define FRAMES_MAX 128

struct dwarf_reader;

/* NULL if the file has no debug information that can be read. The Elf must outlive the reader. */
struct dwarf_reader *dwarf_reader_new(Elf *elf);
void dwarf_reader_free(struct dwarf_reader *reader);
/* Fills the frames of an address of the file, innermost first; returns how many. */
size_t dwarf_frames(struct dwarf_reader *reader, uint64_t address, struct frame frames[FRAMES_MAX]);
/* Whether a ceiling was met, so that calls or names are missing: the file is damaged, or larger than any that is known. */
bool dwarf_reader_is_cut(const struct dwarf_reader *reader);

#endif
