/* elf_image.h - what the loader has of an object in memory: program headers, build id, dynamic symbols' tables.
 *
 * Everything is read by sys_copy_memory: the object may be unloaded while we look.
 */
#ifndef CPPROF_RUNTIME_COLLECT_ELF_IMAGE_H
#define CPPROF_RUNTIME_COLLECT_ELF_IMAGE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_IMAGE_SEGMENTS_MAX 32

struct elf_image {
	uint64_t bias; /* run-time address - the object's own address */
	Elf64_Phdr segments[ELF_IMAGE_SEGMENTS_MAX];
	uint32_t segment_count;
};

/* `base`: where the first byte of the file is mapped. False if that is no object of this machine. */
bool elf_image_read(uintptr_t base, struct elf_image *ret_image);
/* Lower-case hex into `to`; "" = the image has none. */
void elf_image_build_id(const struct elf_image *image, char to[65]);

/* The dynamic symbols as they lie in memory: run-time addresses. */
struct elf_image_symbols {
	uint64_t symbols, symbol_count;
	uint64_t strings, string_size;
};
bool elf_image_symbols(const struct elf_image *image, struct elf_image_symbols *ret_symbols);

/* The build id among ELF notes, as hex; false if it is not there. Format: elf(5), "Notes (Nhdr)". */
bool elf_note_build_id(const unsigned char *notes, size_t size, char to[65]);

#endif
