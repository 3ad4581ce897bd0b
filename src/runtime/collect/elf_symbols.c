/* elf_symbols.c - the search. Formats: elf(5), "Section header (Shdr)" and "String and symbol tables". */
#include "runtime/collect/elf_symbols.h"

#include <string.h>

#include "runtime/shared/sys.h"

#define SECTIONS_MAX 65536u
#define UPDATES_MAX \
	((uint64_t)64 * 1024 * 1024) /* symbols × addresses that they cover: some overlap, all do in a bomb */
#define NOTES_MAX 4096

/* Where the bytes of a symbol table come from. */
struct source {
	int fd; /* -1: memory of this process, offsets are addresses */
	uint64_t symbols, symbol_count;
	uint64_t strings, string_size;
	uint64_t sections; /* headers; 0 = unknown */
	uint32_t section_count;
};

/* The number of bytes read, less than `size` at the end of the file or of what is mapped. */
static size_t read_at(const struct source *source, uint64_t offset, void *to, size_t size)
{
	if (source->fd < 0) {
		union {
			uint64_t number;
			const void *pointer;
		} from = { offset };
		long got = sys_copy_memory(to, from.pointer, size);
		return got > 0 ? (size_t)got : 0;
	}
	size_t used = 0;
	while (used < size && offset <= INT64_MAX - size) {
		long got = sys_pread(source->fd, (char *)to + used, size - used, (long)(offset + used));
		if (got <= 0)
			break;
		used += (size_t)got;
	}
	return used;
}

static bool read_whole(const struct source *source, uint64_t offset, void *to, size_t size)
{
	return read_at(source, offset, to, size) == size;
}

/* --- sections of a file --------------------------------------------------------------------------------------------- */

static bool read_section(const struct source *source, uint32_t index, Elf64_Shdr *ret_section)
{
	return index < source->section_count &&
	       read_whole(source, source->sections + (uint64_t)index * sizeof(*ret_section), ret_section,
	                  sizeof(*ret_section));
}

static bool read_header(struct source *source)
{
	Elf64_Ehdr header;
	Elf64_Shdr first;
	if (!read_whole(source, 0, &header, sizeof(header)) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
	    header.e_machine != EM_X86_64 || header.e_shentsize != sizeof(Elf64_Shdr) || !header.e_shoff)
		return false;
	source->sections = header.e_shoff;
	source->section_count = header.e_shnum ? header.e_shnum : 1;
	/* More sections than the header has room for: their number is the size of the first. */
	if (!header.e_shnum && read_section(source, 0, &first))
		source->section_count = first.sh_size < SECTIONS_MAX ? (uint32_t)first.sh_size : SECTIONS_MAX;
	return true;
}

/* True unless the section is a note with another build id. */
static bool note_fits(const struct source *source, const Elf64_Shdr *section, const char *build_id)
{
	unsigned char notes[NOTES_MAX];
	char id[65];
	size_t size = section->sh_size < NOTES_MAX ? section->sh_size : NOTES_MAX;
	return section->sh_type != SHT_NOTE || !read_whole(source, section->sh_offset, notes, size) ||
	       !elf_note_build_id(notes, size, id) || strcmp(id, build_id) == 0;
}

static bool find_table(struct source *source, const char *build_id)
{
	Elf64_Shdr table = { .sh_type = SHT_NULL }, section, strings;
	for (uint32_t i = 0; i < source->section_count; i++) {
		if (!read_section(source, i, &section) || (*build_id && !note_fits(source, &section, build_id)))
			return false;
		if (section.sh_type == SHT_SYMTAB || (section.sh_type == SHT_DYNSYM && table.sh_type != SHT_SYMTAB))
			table = section;
	}
	if (table.sh_type == SHT_NULL || table.sh_entsize != sizeof(Elf64_Sym) ||
	    !read_section(source, table.sh_link, &strings) || strings.sh_type != SHT_STRTAB)
		return false;
	source->symbols = table.sh_offset;
	source->symbol_count = table.sh_size / sizeof(Elf64_Sym);
	source->strings = strings.sh_offset;
	source->string_size = strings.sh_size;
	return true;
}

/* --- one symbol ----------------------------------------------------------------------------------------------------- */

/* Functions before labels of assembly, names that others see before local ones; 0 = no code. */
static uint32_t rank_of(const Elf64_Sym *symbol)
{
	uint32_t type = ELF64_ST_TYPE(symbol->st_info), bind = ELF64_ST_BIND(symbol->st_info);
	if (symbol->st_shndx == SHN_UNDEF || symbol->st_shndx == SHN_ABS || !symbol->st_name || !symbol->st_value)
		return 0;
	if (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE)
		return 0;
	return (type == STT_NOTYPE ? 1u : 3u) + (bind == STB_LOCAL ? 0u : 1u);
}

static size_t leading_underscores(const struct source *source, uint64_t string)
{
	char start[8];
	size_t count = 0, got = read_at(source, source->strings + string, start, sizeof(start));
	while (count < got && start[count] == '_')
		count++;
	return count;
}

/* Whether `found` is the better name: the inner function, then the one that people type. */
static bool is_better(const struct source *source, const struct symbol_candidate *found,
                      const struct symbol_candidate *kept)
{
	if (!kept->rank || found->value != kept->value)
		return !kept->rank || found->value > kept->value;
	if (found->rank != kept->rank)
		return found->rank > kept->rank;
	return leading_underscores(source, found->string) < leading_underscores(source, kept->string);
}

/* The first query at or above the address. */
static size_t lower_bound(const struct symbol_query *queries, size_t count, uint64_t address)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (queries[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Returns how many queries it covers. */
static uint64_t offer(const struct source *source, const Elf64_Sym *symbol, struct symbol_query *queries, size_t count)
{
	struct symbol_candidate found = { .value = symbol->st_value,
		                              .size = symbol->st_size,
		                              .string = symbol->st_name,
		                              .section = symbol->st_shndx,
		                              .rank = rank_of(symbol) };
	if (!found.rank)
		return 0;
	size_t first = lower_bound(queries, count, found.value), i = first;
	if (first < count && is_better(source, &found, &queries[first].below))
		queries[first].below = found;
	for (; i < count && queries[i].address - found.value < found.size; i++) {
		if (is_better(source, &found, &queries[i].covering))
			queries[i].covering = found;
	}
	return i - first;
}

static bool stream_symbols(const struct source *source, struct symbol_query *queries, size_t count,
                           const struct symbol_pool *pool)
{
	size_t per_block = pool->block_size / sizeof(Elf64_Sym);
	uint64_t updates = 0;
	for (uint64_t done = 0; done < source->symbol_count && updates < UPDATES_MAX;) {
		uint64_t left = source->symbol_count - done;
		size_t wanted = left < per_block ? (size_t)left : per_block;
		size_t got =
				read_at(source, source->symbols + done * sizeof(Elf64_Sym), pool->block, wanted * sizeof(Elf64_Sym)) /
				sizeof(Elf64_Sym);
		for (size_t i = 0; i < got; i++) {
			Elf64_Sym symbol;
			memcpy(&symbol, pool->block + i * sizeof(symbol), sizeof(symbol));
			updates += offer(source, &symbol, queries, count);
		}
		if (got < wanted)
			break;
		done += got;
	}
	return source->symbol_count > 0;
}

/* --- from candidates to names --------------------------------------------------------------------------------------- */

/* A symbol without a size reaches to the next one, or to the end of its section. */
static bool reaches(const struct source *source, const struct symbol_candidate *below, uint64_t address)
{
	Elf64_Shdr section;
	if (!below->rank || below->size)
		return false;
	return !source->section_count ||
	       (read_section(source, below->section, &section) && (section.sh_flags & SHF_EXECINSTR) &&
	        address - section.sh_addr < section.sh_size);
}

/* Versions ("@@GLIBC_2.2.5") are no part of a name. */
static const char *read_name(const struct source *source, uint64_t string, struct symbol_pool *pool)
{
	char *name = (char *)pool->block;
	if (string >= source->string_size)
		return NULL;
	uint64_t left = source->string_size - string;
	size_t got = read_at(source, source->strings + string, name,
	                     left < ELF_SYMBOL_NAME_MAX ? (size_t)left : ELF_SYMBOL_NAME_MAX);
	size_t length = strnlen(name, got);
	if (length == got || !length)
		return NULL;
	const char *version = memchr(name, '@', length);
	if (version && version > name)
		length = (size_t)(version - name);
	if (length + 1 > pool->name_size - pool->name_used)
		return NULL;
	char *kept = pool->names + pool->name_used;
	memcpy(kept, name, length);
	kept[length] = '\0';
	pool->name_used += length + 1;
	return kept;
}

static void take_names(const struct source *source, struct symbol_query *queries, size_t count,
                       struct symbol_pool *pool)
{
	struct symbol_candidate below = { 0 };
	uint64_t last_string = UINT64_MAX;
	const char *last_name = NULL;
	for (size_t i = 0; i < count; i++) {
		struct symbol_query *query = &queries[i];
		if (query->below.rank)
			below = query->below;
		const struct symbol_candidate *chosen = query->covering.rank ? &query->covering : &below;
		if (query->name || (chosen == &below && !reaches(source, &below, query->address)))
			continue;
		if (chosen->string != last_string) {
			last_string = chosen->string;
			last_name = read_name(source, chosen->string, pool);
		}
		query->name = last_name;
		query->start = chosen->value;
	}
}

static bool search(const struct source *source, struct symbol_query *queries, size_t count, struct symbol_pool *pool)
{
	for (size_t i = 0; i < count; i++)
		queries[i].covering = queries[i].below = (struct symbol_candidate){ 0 };
	if (!stream_symbols(source, queries, count, pool))
		return false;
	take_names(source, queries, count, pool);
	return true;
}

bool elf_symbols_from_file(int fd, const char *build_id, struct symbol_query *queries, size_t count,
                           struct symbol_pool *pool)
{
	struct source source = { .fd = fd };
	return read_header(&source) && find_table(&source, build_id) && search(&source, queries, count, pool);
}

bool elf_symbols_from_image(const struct elf_image *image, struct symbol_query *queries, size_t count,
                            struct symbol_pool *pool)
{
	struct elf_image_symbols table;
	if (!elf_image_symbols(image, &table))
		return false;
	struct source source = {
		.fd = -1,
		.symbols = table.symbols,
		.symbol_count = table.symbol_count,
		.strings = table.strings,
		.string_size = table.string_size,
	};
	return search(&source, queries, count, pool);
}
