/* module_image.c - program headers, the build id, and who needs whom. */
#include "runtime/signal/module_image.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>

#include "runtime/shared/sys.h"

#define FIRST_PAGE 4096u
#define HEADERS_MAX 64u
#define MODULES_MAX 512u
#define NOTE_BYTES 36u /* of a build id: sizes and type, "GNU", a hash of 20 bytes */

bool module_image_read(const struct module_image *image, void *to, uintptr_t from, size_t size)
{
	if (from < image->start || from >= image->end || image->end - from < size)
		return false;
	if (image->may_vanish)
		return sys_copy_memory(to, (const unsigned char *)from, size) == (long)size;
	memcpy(to, (const unsigned char *)from, size);
	return true;
}

/* How many program headers there are, and where; 0: the ELF header is not part of what is loaded, or is strange. The
 * first page of a module can be read, since it is where the first segment begins. */
static uint32_t program_headers(const struct module_image *image, uintptr_t *ret_at)
{
	Elf64_Ehdr header;
	if (!module_image_read(image, &header, image->start, sizeof(header)) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_phentsize != sizeof(Elf64_Phdr) ||
	    header.e_phnum > HEADERS_MAX || header.e_phoff > FIRST_PAGE - HEADERS_MAX * sizeof(Elf64_Phdr))
		return 0;
	*ret_at = image->start + header.e_phoff;
	return header.e_phnum;
}

static bool read_header(const struct module_image *image, uintptr_t at, uint32_t index, Elf64_Phdr *ret_header)
{
	return module_image_read(image, ret_header, at + index * sizeof(*ret_header), sizeof(*ret_header));
}

/* The readable segment with this address. `bias` is what the file's addresses are moved by. */
static bool find_segment(const struct module_image *image, uintptr_t address, uintptr_t *ret_low, uintptr_t *ret_high)
{
	uintptr_t at = 0, bias = 0;
	bool has_bias = false;
	uint32_t count = program_headers(image, &at);
	for (uint32_t i = 0; i < count; i++) {
		Elf64_Phdr header;
		if (!read_header(image, at, i, &header) || header.p_type != PT_LOAD)
			continue;
		if (!has_bias)
			bias = image->start - (header.p_vaddr & ~(uintptr_t)(FIRST_PAGE - 1));
		has_bias = true;
		uintptr_t low = bias + header.p_vaddr;
		if (header.p_flags & PF_R && address >= low && address - low < header.p_filesz) {
			*ret_low = low;
			*ret_high = low + header.p_filesz;
			return *ret_high <= image->end;
		}
	}
	if (count)
		return false;
	*ret_low = image->start;
	*ret_high = image->end;
	return true;
}

bool module_image_tables(const struct module_image *image, uintptr_t header, struct cfi_tables *ret_tables)
{
	struct {
		uint8_t version, frame_encoding, count_encoding, table_encoding;
		int32_t frame;
	} head;
	uintptr_t low;
	*ret_tables = (struct cfi_tables){ .header = header, .may_vanish = image->may_vanish };
	if (!find_segment(image, header, &low, &ret_tables->header_end) ||
	    !module_image_read(image, &head, header, sizeof(head)) ||
	    !find_segment(image, header, &ret_tables->low, &ret_tables->high)) {
		ret_tables->header = 0;
		return false;
	}
	/* Nearly always in the same segment; 0x1B: signed, 32 bits, relative to itself. */
	uintptr_t frame = header + 4 + (uintptr_t)(intptr_t)head.frame;
	if (head.frame_encoding == 0x1B && (frame < ret_tables->low || frame >= ret_tables->high) &&
	    !find_segment(image, frame, &ret_tables->low, &ret_tables->high))
		ret_tables->header = 0;
	return ret_tables->header != 0;
}

uint32_t module_image_build_id(const struct module_image *image)
{
	uintptr_t at = 0;
	uint32_t count = program_headers(image, &at);
	for (uint32_t i = 0; i < count; i++) {
		Elf64_Phdr header;
		if (!read_header(image, at, i, &header) || header.p_type != PT_NOTE || header.p_offset > FIRST_PAGE ||
		    header.p_filesz > FIRST_PAGE)
			continue;
		/* What lies in the file's first page lies in the image's. */
		for (uint64_t offset = header.p_offset; offset + NOTE_BYTES <= header.p_offset + header.p_filesz;) {
			Elf64_Nhdr note;
			if (offset + NOTE_BYTES > FIRST_PAGE ||
			    !module_image_read(image, &note, image->start + offset, sizeof(note)))
				break;
			if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && note.n_descsz >= 16)
				return (uint32_t)offset + (uint32_t)sizeof(note);
			offset += sizeof(note) + (((uint64_t)note.n_namesz + 3) & ~3u) +
			          (((uint64_t)note.n_descsz + header.p_align - 1) & ~(header.p_align - 1));
		}
	}
	return 0;
}

/* --- who needs whom ----------------------------------------------------------------------------------------------- */

/* Pointers in a dynamic section are relocated by the linker, except in the vDSO's, which needs nobody and is left out. */
static const char *strings_of(const struct link_map *map)
{
	const Elf64_Dyn *entry = map->l_ld;
	for (; entry && entry->d_tag != DT_NULL; entry++)
		if (entry->d_tag == DT_STRTAB)
			return entry->d_un.d_ptr < map->l_addr ? NULL : (const char *)entry->d_un.d_ptr;
	return NULL;
}

static uint32_t hash_name(const char *name)
{
	uint32_t hash = 2166136261u;
	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	return hash;
}

/* What others ask for it by: its soname, or else the file's name. */
static uint32_t own_name(const struct link_map *map)
{
	const char *strings = strings_of(map);
	for (const Elf64_Dyn *entry = map->l_ld; strings && entry->d_tag != DT_NULL; entry++)
		if (entry->d_tag == DT_SONAME)
			return hash_name(strings + entry->d_un.d_val);
	const char *file = map->l_name ? map->l_name : "", *slash = strrchr(file, '/');
	return hash_name(slash ? slash + 1 : file);
}

static bool contains(const struct link_map *map, uintptr_t address)
{
	struct dl_find_object found;
	union {
		uintptr_t number;
		void *pointer;
	} where = { address };
	return address && _dl_find_object(where.pointer, &found) == 0 && found.dlfo_link_map == map;
}

struct listed {
	const struct link_map *map;
	uint32_t name; /* its hash: two of one name are one file, or so nearly that it does not matter */
	bool stays;
};

/* Known to stay without anybody's need: the executable, which is the first, ourselves, the linker, the vDSO. */
static uint32_t list_maps(struct listed *list, uint32_t max)
{
	const uintptr_t seeds[] = { (uintptr_t)&list_maps, getauxval(AT_BASE), getauxval(AT_SYSINFO_EHDR) };
	uint32_t count = 0;
	for (const struct link_map *map = _r_debug.r_map; map && count < max; map = map->l_next) {
		bool stays = count == 0;
		for (unsigned i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++)
			stays = stays || contains(map, seeds[i]);
		list[count++] = (struct listed){ map, own_name(map), stays };
	}
	return count;
}

uint32_t module_image_closure(const struct link_map **ret_maps, uint32_t max)
{
	static struct listed list[MODULES_MAX];
	uint32_t listed = list_maps(list, MODULES_MAX), count = 0;
	for (uint32_t i = 0; i < listed && count < max; i++)
		if (list[i].stays)
			ret_maps[count++] = list[i].map;
	for (uint32_t done = 0; done < count; done++) {
		const char *strings = strings_of(ret_maps[done]);
		for (const Elf64_Dyn *entry = ret_maps[done]->l_ld; strings && entry->d_tag != DT_NULL; entry++) {
			uint32_t wanted = entry->d_tag == DT_NEEDED ? hash_name(strings + entry->d_un.d_val) : 0;
			for (uint32_t i = 0; i < listed && wanted && count < max; i++) {
				if (list[i].name != wanted || list[i].stays)
					continue;
				list[i].stays = true;
				ret_maps[count++] = list[i].map;
			}
		}
	}
	return count;
}
