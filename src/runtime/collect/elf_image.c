/* elf_image.c - headers, notes and the dynamic section of a loaded object. Formats: elf(5), the System V gABI, chapter 5; the
 * GNU hash table as the linkers write it (four words, a Bloom filter, buckets, chains whose last entry is odd).
 */
#include "runtime/collect/elf_image.h"

#include <string.h>

#include "runtime/shared/sys.h"

#define NOTES_MAX 4096
#define DYNAMIC_MAX 256
#define SYMBOLS_MAX ((uint64_t)4 * 1024 * 1024)
#define CHAIN_BLOCK 256

/* Whole or not at all. */
static bool copy(void *to, uint64_t from, size_t size)
{
	union {
		uint64_t number;
		const void *pointer;
	} address = { from };
	return sys_copy_memory(to, address.pointer, size) == (long)size;
}

static bool is_object(const Elf64_Ehdr *header)
{
	return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 && header->e_ident[EI_CLASS] == ELFCLASS64 &&
	       header->e_ident[EI_DATA] == ELFDATA2LSB && header->e_machine == EM_X86_64 &&
	       header->e_phentsize == sizeof(Elf64_Phdr) && header->e_phnum > 0 &&
	       header->e_phnum <= ELF_IMAGE_SEGMENTS_MAX;
}

bool elf_image_read(uintptr_t base, struct elf_image *ret_image)
{
	Elf64_Ehdr header;
	if (!copy(&header, base, sizeof(header)) || !is_object(&header) ||
	    !copy(ret_image->segments, base + header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr)))
		return false;
	ret_image->segment_count = header.e_phnum;
	for (uint32_t i = 0; i < ret_image->segment_count; i++) {
		const Elf64_Phdr *segment = &ret_image->segments[i];
		/* The segment with the start of the file in it; its address may lie some bytes into the page. */
		if (segment->p_type == PT_LOAD && segment->p_offset < 4096) {
			ret_image->bias = base - (segment->p_vaddr - segment->p_offset);
			return true;
		}
	}
	return false;
}

bool elf_note_build_id(const unsigned char *notes, size_t size, char to[65])
{
	static const char digits[] = "0123456789abcdef";
	for (size_t at = 0; size - at >= sizeof(Elf64_Nhdr);) {
		Elf64_Nhdr note;
		memcpy(&note, notes + at, sizeof(note));
		at += sizeof(note);
		size_t name = ((size_t)note.n_namesz + 3) & ~(size_t)3, content = ((size_t)note.n_descsz + 3) & ~(size_t)3;
		if (name > size - at || content > size - at - name)
			return false;
		const unsigned char *id = notes + at + name;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(notes + at, "GNU", 4) == 0 &&
		    note.n_descsz > 0 && note.n_descsz <= 32) {
			for (uint32_t i = 0; i < note.n_descsz; i++) {
				to[2 * i] = digits[id[i] >> 4];
				to[2 * i + 1] = digits[id[i] & 15];
			}
			to[2 * note.n_descsz] = '\0';
			return true;
		}
		at += name + content;
	}
	return false;
}

void elf_image_build_id(const struct elf_image *image, char to[65])
{
	unsigned char notes[NOTES_MAX];
	to[0] = '\0';
	for (uint32_t i = 0; i < image->segment_count; i++) {
		const Elf64_Phdr *segment = &image->segments[i];
		size_t size = segment->p_memsz < NOTES_MAX ? segment->p_memsz : NOTES_MAX;
		if (segment->p_type == PT_NOTE && copy(notes, image->bias + segment->p_vaddr, size) &&
		    elf_note_build_id(notes, size, to))
			return;
	}
}

/* --- dynamic symbols ------------------------------------------------------------------------------------------------ */

/* The loader makes these addresses absolute where it may write (not in the vDSO). */
static uint64_t absolute(const struct elf_image *image, uint64_t address)
{
	return address < image->bias ? address + image->bias : address;
}

/* One more than the index of the last symbol of the chain that begins at `index`. */
static uint64_t chain_end(uint64_t chains, uint64_t first_symbol, uint64_t index)
{
	uint32_t block[CHAIN_BLOCK];
	while (index < SYMBOLS_MAX) {
		union {
			uint64_t number;
			const void *pointer;
		} from = { chains + (index - first_symbol) * sizeof(uint32_t) };
		long got = sys_copy_memory(block, from.pointer, sizeof(block));
		if (got < (long)sizeof(uint32_t))
			return 0;
		for (long i = 0; i < got / (long)sizeof(uint32_t); i++, index++) {
			if (block[i] & 1)
				return index + 1;
		}
	}
	return 0;
}

static uint64_t count_by_gnu_hash(uint64_t table)
{
	uint32_t header[4]; /* buckets, first symbol in the table, words of the filter, shift */
	if (!copy(header, table, sizeof(header)) || header[0] > SYMBOLS_MAX || header[2] > SYMBOLS_MAX)
		return 0;
	uint64_t buckets = table + sizeof(header) + (uint64_t)header[2] * sizeof(uint64_t);
	uint64_t chains = buckets + (uint64_t)header[0] * sizeof(uint32_t);
	uint32_t highest = 0;
	for (uint64_t done = 0; done < header[0];) {
		uint32_t block[CHAIN_BLOCK];
		size_t count = header[0] - done < CHAIN_BLOCK ? header[0] - done : CHAIN_BLOCK;
		if (!copy(block, buckets + done * sizeof(uint32_t), count * sizeof(uint32_t)))
			return 0;
		for (size_t i = 0; i < count; i++)
			highest = block[i] > highest ? block[i] : highest;
		done += count;
	}
	return highest < header[1] ? header[1] : chain_end(chains, header[1], highest);
}

static uint64_t count_by_hash(uint64_t table)
{
	uint32_t header[2]; /* buckets, chains: one chain a symbol */
	return copy(header, table, sizeof(header)) ? header[1] : 0;
}

/* Entry by entry, since the section may lie at the end of what is mapped. */
static bool read_dynamic(const struct elf_image *image, uint64_t *values, size_t value_count, uint64_t *ret_gnu_hash)
{
	uint64_t at = 0;
	for (uint32_t i = 0; i < image->segment_count; i++) {
		if (image->segments[i].p_type == PT_DYNAMIC)
			at = image->bias + image->segments[i].p_vaddr;
	}
	for (int i = 0; at && i < DYNAMIC_MAX; i++, at += sizeof(Elf64_Dyn)) {
		Elf64_Dyn entry;
		if (!copy(&entry, at, sizeof(entry)) || entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag >= 0 && (uint64_t)entry.d_tag < value_count)
			values[entry.d_tag] = entry.d_un.d_val;
		if (entry.d_tag == DT_GNU_HASH)
			*ret_gnu_hash = entry.d_un.d_val;
	}
	return at != 0;
}

bool elf_image_symbols(const struct elf_image *image, struct elf_image_symbols *ret_symbols)
{
	uint64_t values[DT_STRSZ + 1] = { 0 }, gnu_hash = 0;
	if (!read_dynamic(image, values, DT_STRSZ + 1, &gnu_hash) || !values[DT_SYMTAB] || !values[DT_STRTAB])
		return false;
	uint64_t count = gnu_hash          ? count_by_gnu_hash(absolute(image, gnu_hash))
	                 : values[DT_HASH] ? count_by_hash(absolute(image, values[DT_HASH]))
	                                   : 0;
	if (count == 0 || count > SYMBOLS_MAX)
		return false;
	*ret_symbols = (struct elf_image_symbols){
		.symbols = absolute(image, values[DT_SYMTAB]),
		.symbol_count = count,
		.strings = absolute(image, values[DT_STRTAB]),
		.string_size = values[DT_STRSZ],
	};
	return true;
}
