/* elf_file.c - opening an object file, and the arithmetic between run-time addresses and its own.
 *
 * Where a binary lies is told by the mapping (start, limit, offset in the file) and the segment that it came from:
 * object address = address - base, base = start - offset + segment's offset - segment's address. Kernels need cases of
 * their own, since perf and its like record them in several ways.
 *
 * elfutils is linked, not loaded on demand: libdw and libelf with their libraries add 0.27 ms to the start of a program.
 */
#include "symbolize/elf_file.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"

#define PAGE_SIZE ((uint64_t)4096)
#define HIGH_HALF ((uint64_t)1 << 63)
#define PPC64_PAGE_OFFSET ((uint64_t)0xC << 60)

/* --- opening ------------------------------------------------------------------------------------------------------- */

static enum status read_magic(const struct elf_file *file, struct error *err)
{
	unsigned char magic[SELFMAG];
	ssize_t size = pread(file->fd, magic, sizeof(magic), 0);
	if (size < 0) {
		enum status status =
				error_set_errno(err, errno, "error reading magic number from %s: read %s", file->path, file->path);
		return status;
	}
	if (size < (ssize_t)sizeof(magic))
		return error_set(err, STATUS_FORMAT, "error reading magic number from %s: %s", file->path,
		                 size ? "unexpected EOF" : "EOF");
	if (memcmp(magic, ELFMAG, SELFMAG) != 0)
		return error_set(err, STATUS_FORMAT, "unrecognized binary format: %s", file->path);
	return STATUS_OK;
}

static enum status open_elf(struct elf_file *file, struct error *err)
{
	struct stat info;
	if (stat(file->path, &info) != 0)
		return error_set_errno(err, errno, "stat %s", file->path);
	/* Without O_NONBLOCK a FIFO would wait for a writer. */
	file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (file->fd < 0)
		return error_set_errno(err, errno, "error opening %s: open %s", file->path, file->path);
	enum status status = read_magic(file, err);
	if (status != STATUS_OK)
		return status;
	elf_version(EV_CURRENT);
	file->elf = elf_begin(file->fd, ELF_C_READ_MMAP, NULL);
	GElf_Ehdr header;
	if (!file->elf || elf_kind(file->elf) != ELF_K_ELF || !gelf_getehdr(file->elf, &header))
		return error_set(err, STATUS_FORMAT, "error reading ELF file %s: error parsing %s: %s", file->path, file->path,
		                 elf_errmsg(-1));
	file->type = header.e_type;
	return STATUS_OK;
}

static char *read_build_id(Elf *elf)
{
	const unsigned char *bits;
	ssize_t size = dwelf_elf_gnu_build_id(elf, (const void **)&bits);
	if (size <= 0 || size > 1024)
		return xstrdup("");
	char *text = xmalloc((size_t)size * 2 + 1);
	for (ssize_t i = 0; i < size; i++) {
		text[2 * i] = "0123456789abcdef"[bits[i] >> 4];
		text[2 * i + 1] = "0123456789abcdef"[bits[i] & 15];
	}
	text[2 * size] = 0;
	return text;
}

static bool section_address(Elf *elf, const char *name, uint64_t *ret_address)
{
	size_t names;
	if (elf_getshdrstrndx(elf, &names) != 0)
		return false;
	for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));) {
		GElf_Shdr header;
		const char *text = gelf_getshdr(section, &header) ? elf_strptr(elf, names, header.sh_name) : NULL;
		if (text && strcmp(text, name) == 0) {
			*ret_address = header.sh_addr;
			return true;
		}
	}
	return false;
}

static void read_segments(struct elf_file *file)
{
	size_t count = 0;
	if (elf_getphdrnum(file->elf, &count) != 0 || count > UINT16_MAX)
		return;
	file->segments = xcalloc(count, sizeof(*file->segments));
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr segment;
		if (gelf_getphdr(file->elf, (int)i, &segment) && segment.p_type == PT_LOAD)
			file->segments[file->segment_count++] = segment;
	}
	uint64_t text;
	if (!section_address(file->elf, ".text", &text))
		return;
	for (size_t i = 0; i < file->segment_count && !file->text_segment; i++) {
		const GElf_Phdr *segment = &file->segments[i];
		if (segment->p_flags & PF_X && text >= segment->p_vaddr && text - segment->p_vaddr < segment->p_memsz)
			file->text_segment = segment;
	}
}

/* --- kernels ------------------------------------------------------------------------------------------------------- */

static bool find_symbol(Elf *elf, const char *wanted, uint64_t *ret_value)
{
	for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));) {
		GElf_Shdr header;
		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_SYMTAB || header.sh_entsize == 0)
			continue;
		Elf_Data *data = elf_getdata(section, NULL);
		for (size_t i = 1; data && i < header.sh_size / header.sh_entsize && i < INT32_MAX; i++) {
			GElf_Sym symbol;
			if (!gelf_getsym(data, (int)i, &symbol))
				break;
			const char *name = elf_strptr(elf, header.sh_link, symbol.st_name);
			if (name && strcmp(name, wanted) == 0) {
				*ret_value = symbol.st_value;
				return true;
			}
		}
	}
	return false;
}

/* Reading all symbols is dear, so only where the file or the mapping look like a kernel's. */
static void find_kernel_offset(struct elf_file *file)
{
	const struct elf_mapping *mapping = &file->mapping;
	if (!strstr(file->path, "vmlinux") && (mapping->start | mapping->limit | mapping->offset) % PAGE_SIZE == 0)
		return;
	const char *name =
			mapping->relocation_symbol && *mapping->relocation_symbol ? mapping->relocation_symbol : "_stext";
	file->has_kernel_offset = find_symbol(file->elf, name, &file->kernel_offset);
}

static bool kernel_base(const struct elf_file *file, const GElf_Phdr *segment, uint64_t *ret_base)
{
	uint64_t start = file->mapping.start, limit = file->mapping.limit, offset = file->mapping.offset;
	bool known = file->has_kernel_offset,
		 same_page_part = known && start % PAGE_SIZE == file->kernel_offset % PAGE_SIZE;
	if (segment->p_vaddr == start - offset) {
		*ret_base = offset;
		return true;
	}
	if (start == 0 && limit != 0 && known) {
		/* Moved to address 0, as ChromeOS does. */
		*ret_base = start - file->kernel_offset;
		return true;
	}
	if (start >= HIGH_HALF && limit > start && (offset == 0 || offset == PPC64_PAGE_OFFSET || offset == start)) {
		*ret_base = start - (same_page_part ? file->kernel_offset : segment->p_vaddr);
		return true;
	}
	if (start % PAGE_SIZE != 0 && same_page_part) {
		*ret_base = start - file->kernel_offset;
		return true;
	}
	return false;
}

/* --- base ---------------------------------------------------------------------------------------------------------- */

static bool is_whole_address_space(const struct elf_mapping *mapping)
{
	return mapping->start == 0 && mapping->offset == 0 && (mapping->limit == 0 || mapping->limit == UINT64_MAX);
}

static enum status exec_base(const struct elf_file *file, const GElf_Phdr *segment, uint64_t *ret_base,
                             struct error *err)
{
	const struct elf_mapping *mapping = &file->mapping;
	*ret_base = 0;
	if (!segment)
		return STATUS_OK;
	if (!file->has_kernel_offset && mapping->start > 0 && mapping->start < HIGH_HALF) {
		*ret_base = mapping->start - mapping->offset + segment->p_offset - segment->p_vaddr;
		return STATUS_OK;
	}
	if (kernel_base(file, segment, ret_base))
		return STATUS_OK;
	if (mapping->start == 0 && mapping->limit != 0 && !file->has_kernel_offset) {
		*ret_base = mapping->start - segment->p_vaddr;
		return STATUS_OK;
	}
	return error_set(
			err, STATUS_UNSUPPORTED,
			"don't know how to handle EXEC segment: {PT_LOAD PF_X%s%s %lu %lu %lu %lu %lu %lu} start=0x%lx limit=0x%lx "
			"offset=0x%lx",
			segment->p_flags & PF_W ? "+PF_W" : "", segment->p_flags & PF_R ? "+PF_R" : "", segment->p_offset,
			segment->p_vaddr, segment->p_paddr, segment->p_filesz, segment->p_memsz, segment->p_align, mapping->start,
			mapping->limit, mapping->offset);
}

static enum status base_of(const struct elf_file *file, const GElf_Phdr *segment, uint64_t *ret_base, struct error *err)
{
	const struct elf_mapping *mapping = &file->mapping;
	*ret_base = 0;
	if (is_whole_address_space(mapping))
		return STATUS_OK;
	switch (file->type) {
	case ET_EXEC:
		return exec_base(file, segment, ret_base, err);
	case ET_REL:
		if (mapping->offset != 0)
			return error_set(err, STATUS_UNSUPPORTED, "don't know how to handle mapping.Offset");
		*ret_base = mapping->start;
		return STATUS_OK;
	case ET_DYN:
		*ret_base = mapping->start - mapping->offset;
		if (segment && !kernel_base(file, segment, ret_base))
			*ret_base = mapping->start - mapping->offset + segment->p_offset - segment->p_vaddr;
		return STATUS_OK;
	default:
		return error_set(err, STATUS_UNSUPPORTED, "don't know how to handle FileHeader.Type %s",
		                 file->type == ET_CORE ? "ET_CORE" : "ET_NONE");
	}
}

/* Whether the mapping may be of this segment: they overlap in the file, and the mapping starts neither before the
 * segment's first page nor in its last one, going on a page or more behind it (then it is the next segment's). */
static bool segment_fits(const GElf_Phdr *segment, uint64_t map_start, uint64_t map_limit)
{
	uint64_t limit = segment->p_offset + segment->p_memsz, in_page = segment->p_vaddr & (segment->p_align - 1);
	if (segment->p_filesz == 0 || map_start >= limit || segment->p_offset >= map_limit)
		return false;
	uint64_t aligned = segment->p_offset > in_page ? segment->p_offset - in_page : 0;
	if (map_start < aligned)
		return false;
	return !(map_start > segment->p_offset && limit < map_start + PAGE_SIZE && map_limit >= limit + PAGE_SIZE);
}

/* The segment that the address lies in. *ret_segment is NULL for files without segments. */
static bool find_segment(const struct elf_file *file, uint64_t address, const GElf_Phdr **ret_segment)
{
	const struct elf_mapping *mapping = &file->mapping;
	if (file->has_kernel_offset || mapping->start >= mapping->limit || mapping->limit >= HIGH_HALF) {
		*ret_segment = file->text_segment;
		return true;
	}
	*ret_segment = NULL;
	if (file->segment_count == 0)
		return true;
	uint64_t map_limit = mapping->offset + (mapping->limit - mapping->start);
	uint64_t at = address - mapping->start + mapping->offset;
	size_t fitting = 0, holding = 0;
	const GElf_Phdr *only = NULL, *holder = NULL;
	for (size_t i = 0; i < file->segment_count; i++) {
		const GElf_Phdr *segment = &file->segments[i];
		if (!segment_fits(segment, mapping->offset, map_limit))
			continue;
		fitting++;
		only = segment;
		if (at >= segment->p_offset && at - segment->p_offset < segment->p_memsz) {
			holding++;
			holder = segment;
		}
	}
	*ret_segment = fitting == 1 ? only : holder;
	/* A debug file keeps the headers but not the bytes: then take the usual layout, addresses equal to offsets. */
	return fitting == 1 || holding == 1 || (fitting == 0 && file->is_debug_file);
}

bool elf_file_address(const struct elf_file *file, uint64_t address, uint64_t *ret_object_address)
{
	const struct elf_mapping *mapping = &file->mapping;
	if (is_whole_address_space(mapping)) {
		*ret_object_address = address;
		return true;
	}
	const GElf_Phdr *segment;
	uint64_t base;
	if (address < mapping->start || address >= mapping->limit || !find_segment(file, address, &segment) ||
	    base_of(file, segment, &base, NULL) != STATUS_OK)
		return false;
	*ret_object_address = address - base;
	return true;
}

enum status elf_file_set_mapping(struct elf_file *file, const struct elf_mapping *mapping, struct error *err)
{
	file->mapping = mapping ? *mapping : (struct elf_mapping){ 0 };
	file->has_kernel_offset = false;
	find_kernel_offset(file);
	uint64_t base;
	enum status status = base_of(file, file->text_segment, &base, err);
	if (status != STATUS_OK)
		error_prefix(err, "error reading ELF file %s: could not identify base for %s: ", file->path, file->path);
	return status;
}

enum status elf_file_open(const char *path, const struct elf_mapping *mapping, struct elf_file **ret_file,
                          struct error *err)
{
	struct elf_file *file = xcalloc(1, sizeof(*file));
	file->path = xstrdup(path);
	file->fd = -1;
	enum status status = open_elf(file, err);
	if (status == STATUS_OK) {
		file->build_id = read_build_id(file->elf);
		read_segments(file);
		status = elf_file_set_mapping(file, mapping, err);
	}
	if (status != STATUS_OK) {
		elf_file_close(file);
		return status;
	}
	*ret_file = file;
	return STATUS_OK;
}

void elf_file_close(struct elf_file *file)
{
	if (!file)
		return;
	elf_end(file->elf);
	if (file->fd >= 0)
		close(file->fd);
	free(file->segments);
	free(file->build_id);
	free(file->path);
	free(file);
}
