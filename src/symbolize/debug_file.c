/* debug_file.c - finding separate debug files, in the places where GDB looks.
 * https://sourceware.org/gdb/current/onlinedocs/gdb.html/Separate-Debug-Files.html
 */
#include "symbolize/debug_file.h"

#include <elfutils/libdwelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"

#define DEBUG_DIRECTORY "/usr/lib/debug"

static bool section_named(Elf *elf, const char *first, const char *second)
{
	size_t names;
	if (elf_getshdrstrndx(elf, &names) != 0)
		return false;
	for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));) {
		GElf_Shdr header;
		const char *name = gelf_getshdr(section, &header) ? elf_strptr(elf, names, header.sh_name) : NULL;
		if (name && header.sh_type != SHT_NOBITS && (strcmp(name, first) == 0 || strcmp(name, second) == 0))
			return true;
	}
	return false;
}

bool debug_file_has_dwarf(const struct elf_file *file)
{
	return section_named(file->elf, ".debug_info", ".zdebug_info");
}

/* Opens without a word: a debug file that does not fit is no failure. */
static struct elf_file *open_debug(const char *path, const struct elf_mapping *mapping)
{
	struct elf_file *file;
	if (access(path, R_OK) != 0 || elf_file_open(path, mapping, &file, NULL) != STATUS_OK)
		return NULL;
	file->is_debug_file = true;
	return file;
}

struct elf_file *debug_file_by_build_id(const char *build_id, const struct elf_mapping *mapping)
{
	/* The id may come from a profile and must not lead out of the directory. */
	size_t length = strlen(build_id);
	if (length < 3 || strspn(build_id, "0123456789abcdef") != length)
		return NULL;
	char *path = xasprintf(DEBUG_DIRECTORY "/.build-id/%.2s/%s.debug", build_id, build_id + 2);
	struct elf_file *file = open_debug(path, mapping);
	free(path);
	if (file && strcmp(file->build_id, build_id) != 0) {
		elf_file_close(file);
		return NULL;
	}
	return file;
}

/* --- .gnu_debuglink ------------------------------------------------------------------------------------------------- */

/* CRC-32 of the whole file (polynomial 0xEDB88320, as zlib's), which .gnu_debuglink holds. */
static uint32_t checksum(struct elf_file *file)
{
	uint32_t table[256], crc = UINT32_MAX;
	for (uint32_t i = 0; i < 256; i++) {
		table[i] = i;
		for (int bit = 0; bit < 8; bit++)
			table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xEDB88320u : 0);
	}
	unsigned char *block = xmalloc(1 << 16);
	ssize_t size;
	for (off_t at = 0; (size = pread(file->fd, block, 1 << 16, at)) > 0; at += size) {
		for (ssize_t i = 0; i < size; i++)
			crc = crc >> 8 ^ table[(crc ^ block[i]) & 255];
	}
	free(block);
	return ~crc;
}

static bool same_file(const struct elf_file *a, const struct elf_file *b)
{
	struct stat one, two;
	return fstat(a->fd, &one) == 0 && fstat(b->fd, &two) == 0 && one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

static bool belongs_to(struct elf_file *candidate, const struct elf_file *binary, uint32_t crc)
{
	if (same_file(candidate, binary))
		return false;
	if (*binary->build_id && *candidate->build_id)
		return strcmp(binary->build_id, candidate->build_id) == 0;
	return checksum(candidate) == crc;
}

static struct elf_file *debug_file_by_link(const struct elf_file *binary)
{
	GElf_Word crc;
	const char *name = dwelf_elf_gnu_debuglink(binary->elf, &crc);
	if (!name || !*name || strchr(name, '/'))
		return NULL;
	char *real = realpath(binary->path, NULL);
	if (!real)
		return NULL;
	int directory = (int)(strrchr(real, '/') - real);
	static const char *const before[] = { "", "", DEBUG_DIRECTORY };
	static const char *const between[] = { "/", "/.debug/", "/" };
	struct elf_file *found = NULL;
	for (size_t i = 0; i < 3 && !found; i++) {
		char *path = xasprintf("%s%.*s%s%s", before[i], directory, real, between[i], name);
		found = open_debug(path, NULL);
		if (found && !belongs_to(found, binary, crc)) {
			elf_file_close(found);
			found = NULL;
		}
		free(path);
	}
	free(real);
	return found;
}

struct elf_file *debug_file_of(const struct elf_file *binary)
{
	struct elf_file *file = debug_file_by_build_id(binary->build_id, NULL);
	return file ? file : debug_file_by_link(binary);
}
