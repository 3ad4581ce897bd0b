/* debug_file.h - where the debug information of a stripped binary lies: by build id, or by the name it leaves behind. */
#ifndef CPPROF_SYMBOLIZE_DEBUG_FILE_H
#define CPPROF_SYMBOLIZE_DEBUG_FILE_H

#include <stdbool.h>

#include "symbolize/elf_file.h"

/* /usr/lib/debug/.build-id/ab/cdef.debug, if it is there and has that build id; else NULL. */
struct elf_file *debug_file_by_build_id(const char *build_id, const struct elf_mapping *mapping);
/* By the binary's build id, then by its .gnu_debuglink: beside it, in .debug/ beside it, and below /usr/lib/debug. NULL if
 * there is none that fits. */
struct elf_file *debug_file_of(const struct elf_file *binary);
/* Whether the file has sections of debug information, plain or compressed. */
bool debug_file_has_dwarf(const struct elf_file *file);

#endif
