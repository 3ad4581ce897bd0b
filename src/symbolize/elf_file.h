/* elf_file.h - one object file, opened for a mapping: build id, segments, and how run-time addresses lie in it.
 *
 * Not here: names (symbol_table.h) and lines (dwarf.h). Every file is hostile: elfutils checks offsets, we check its answers.
 */
#ifndef CPPROF_SYMBOLIZE_ELF_FILE_H
#define CPPROF_SYMBOLIZE_ELF_FILE_H

#include <gelf.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* Where the program had it. */
struct elf_mapping {
	uint64_t start, limit, offset;
	const char *relocation_symbol; /* of a kernel: what `start` is the address of; "" = _stext */
};

struct elf_file {
	char *path;
	int fd;
	Elf *elf;
	GElf_Half type;      /* ET_EXEC, ET_DYN, ET_REL */
	char *build_id;      /* lower-case hex; "" if there is none */
	GElf_Phdr *segments; /* the loadable ones */
	size_t segment_count;
	const GElf_Phdr *text_segment; /* the executable one with .text, or NULL */
	struct elf_mapping mapping;
	bool has_kernel_offset;
	uint64_t kernel_offset;
	bool is_debug_file; /* its segments may hold no bytes */
};

/* Opens and checks; the errors' words are those of the reference as far as it has some. `mapping` may be NULL: then
 * addresses are the file's own. Its relocation_symbol must outlive the file. */
enum status elf_file_open(const char *path, const struct elf_mapping *mapping, struct elf_file **ret_file,
                          struct error *err) CPPROF_MUST_USE;
/* The same file in another place; after an error, only to be closed or moved again. */
enum status elf_file_set_mapping(struct elf_file *file, const struct elf_mapping *mapping,
                                 struct error *err) CPPROF_MUST_USE;
void elf_file_close(struct elf_file *file);

/* The address as the file's symbols have it; false if it lies outside the mapping or in no segment. */
bool elf_file_address(const struct elf_file *file, uint64_t address, uint64_t *ret_object_address);

#endif
