/* symbol_table.c - symbols by address. One without a size (assembly, mostly) reaches to the next one. */
#include "symbolize/symbol_table.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

/* Behind any number of underscores. */
#define RANK_LOCAL ((uint32_t)1 << 16)

static bool is_wanted(const GElf_Sym *symbol, const char *name)
{
	unsigned char type = GELF_ST_TYPE(symbol->st_info);
	if (symbol->st_shndx == SHN_UNDEF || symbol->st_shndx == SHN_ABS || !name || !*name)
		return false;
	/* "$x" and the like mark code and data on some processors. */
	return type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_OBJECT || (type == STT_NOTYPE && *name != '$');
}

/* .symtab, unlike .dynsym, has versions in its names: "pub@V1", "pub@@V2". */
static struct str without_version(const char *text)
{
	struct str name = str_of(text);
	const char *at = strrchr(text, '@');
	if (!at || at == text || *text == '?' || !(isalpha((unsigned char)at[1]) || at[1] == '_'))
		return name;
	size_t length = (size_t)(at - text);
	length -= length > 1 && text[length - 1] == '@';
	return (struct str){ text, length };
}

static uint32_t rank_of(const char *name, bool is_local)
{
	size_t underscores = strspn(name, "_");
	return (underscores < RANK_LOCAL ? (uint32_t)underscores : RANK_LOCAL - 1) + (is_local ? RANK_LOCAL : 0);
}

static void read_table(struct symbol_table *symbols, Elf *elf, Elf_Scn *section, const GElf_Shdr *header,
                       enum symbol_choice choice)
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t entry_size = gelf_fsize(elf, ELF_T_SYM, 1, EV_CURRENT);
	if (!data || entry_size == 0)
		return;
	size_t count = data->d_size / entry_size;
	if (count > INT32_MAX)
		return;
	symbols->items = xreallocarray(NULL, count, sizeof(*symbols->items));
	const char *file = NULL; /* stands before the symbols that came from it */
	for (size_t i = 1; i < count; i++) {
		GElf_Sym symbol;
		if (!gelf_getsym(data, (int)i, &symbol))
			break;
		const char *name = elf_strptr(elf, header->sh_link, symbol.st_name);
		if (GELF_ST_TYPE(symbol.st_info) == STT_FILE)
			file = name;
		bool is_local = GELF_ST_BIND(symbol.st_info) == STB_LOCAL;
		if (!is_wanted(&symbol, name) || (is_local && choice == SYMBOLS_GLOBAL))
			continue;
		symbols->items[symbols->count++] = (struct symbol){
			.address = symbol.st_value,
			.size = symbol.st_size,
			.name = without_version(name),
			.file = is_local ? file : NULL,
			.table_ix = (uint32_t)i,
			.rank = choice == SYMBOLS_OF_BINARY ? 0 : rank_of(name, is_local),
			.is_data = GELF_ST_TYPE(symbol.st_info) == STT_OBJECT,
		};
	}
}

static int compare(const void *one, const void *two)
{
	const struct symbol *a = one, *b = two;
	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	if (a->size != b->size)
		return a->size > b->size ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return a->table_ix > b->table_ix ? -1 : 1;
}

/* Sorts, and keeps one at each address: the largest, and of aliases that of the lowest rank, the last of those. */
static void sort(struct symbol_table *symbols)
{
	if (symbols->count == 0)
		return;
	qsort(symbols->items, symbols->count, sizeof(*symbols->items), compare);
	size_t kept = 1;
	for (size_t i = 1; i < symbols->count; i++) {
		if (symbols->items[i].address != symbols->items[kept - 1].address)
			symbols->items[kept++] = symbols->items[i];
	}
	symbols->count = kept;
}

void symbol_table_read(struct symbol_table *symbols, Elf *elf, enum symbol_choice choice)
{
	*symbols = (struct symbol_table){ 0 };
	const GElf_Word types[] = { SHT_SYMTAB, SHT_DYNSYM };
	for (size_t k = 0; k < 2 && symbols->count == 0; k++) {
		for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));) {
			GElf_Shdr header;
			if (gelf_getshdr(section, &header) && header.sh_type == types[k]) {
				symbol_table_release(symbols);
				read_table(symbols, elf, section, &header, choice);
				symbols->is_complete = k == 0 && choice != SYMBOLS_GLOBAL;
				break;
			}
		}
	}
	sort(symbols);
}

void symbol_table_release(struct symbol_table *symbols)
{
	free(symbols->items);
	*symbols = (struct symbol_table){ 0 };
}

const struct symbol *symbol_table_find(const struct symbol_table *symbols, uint64_t address, bool guess)
{
	size_t low = 0, high = symbols->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (symbols->items[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	const struct symbol *symbol = &symbols->items[low - 1];
	if (symbol->size == 0 && !symbol->is_data)
		return low < symbols->count ? symbol : NULL;
	if (address - symbol->address < symbol->size)
		return symbol;
	return guess && symbols->is_complete && !symbol->is_data && low < symbols->count ? symbol : NULL;
}
