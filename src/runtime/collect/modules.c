/* modules.c - the loaded code of this process, piece by piece: from /proc/self/maps, or from the loader's list where /proc
 * cannot be read. Not here: names of functions (names.c).
 */
#include <link.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/buffer.h"
#include "runtime/collect/elf_image.h"
#include "runtime/collect/maps.h"
#include "runtime/collect/names.h"
#include "runtime/shared/own_libc.h"
#include "runtime/shared/region.h"
#include "runtime/shared/sys.h"

#define MAPS_MAX ((size_t)64 * 1024 * 1024)
#define READ_SIZE ((size_t)64 * 1024)
#define LOADED_MAX 4096 /* of the loader's list, which another thread may be changing */
#define PATH_SIZE 4096
#define PIECES_MAX 256 /* mappings between the start of a file and its text */

/* --- /proc/self/maps ------------------------------------------------------------------------------------------------ */

/* By the thread: when the first thread of the process has ended, /proc/self/maps is empty. */
static int open_maps(void)
{
	int fd = sys_open("/proc/thread-self/maps", O_RDONLY);
	return fd < 0 ? sys_open("/proc/self/maps", O_RDONLY) : fd;
}

/* No memory is asked for while the descriptor is open: running out of it would leave the descriptor behind. */
static bool read_maps(struct buffer *to)
{
	bool whole = false;
	for (size_t room = 4 * READ_SIZE; !whole && room <= MAPS_MAX; room *= 4) {
		buffer_clear(to);
		char *at = buffer_reserve(to, room);
		int fd = open_maps();
		if (fd < 0 || !at) {
			if (fd >= 0)
				sys_close(fd);
			return false;
		}
		size_t used = 0;
		long got = 0;
		while (used < room && (got = sys_read(fd, at + used, room - used)) > 0)
			used += (size_t)got;
		sys_close(fd);
		whole = got == 0 && used > 0;
		buffer_claim(to, used);
	}
	return whole;
}

static bool is_same_file(const struct map_entry *a, const struct map_entry *b)
{
	return a->device == b->device && a->inode == b->inode && strcmp(a->path, b->path) == 0;
}

/* Text that a program has moved to huge pages is anonymous; it lies between two pieces of its file. */
static bool is_replaced_text(const struct maps *maps, uint32_t at)
{
	if (at == 0 || at + 1 >= maps->count)
		return false;
	const struct map_entry *before = &maps->entries[at - 1], *after = &maps->entries[at + 1];
	const struct map_entry *entry = &maps->entries[at];
	return before->inode && is_same_file(before, after) && before->limit == entry->start &&
	       entry->limit == after->start && before->start - before->offset == after->start - after->offset;
}

static void name_replaced_text(struct maps *maps)
{
	for (uint32_t i = 0; i < maps->count; i++) {
		struct map_entry *entry = &maps->entries[i];
		if (!entry->executable || entry->inode || entry->path[0] == '[' || !is_replaced_text(maps, i))
			continue;
		const struct map_entry *before = &maps->entries[i - 1];
		entry->device = before->device;
		entry->inode = before->inode;
		entry->path = before->path;
		entry->offset = before->offset + (before->limit - before->start);
	}
}

/* The nearest mapping below of the start of the same file; 0 = none. The pieces of an object lie together. */
static uintptr_t image_base(const struct maps *maps, uint32_t at)
{
	const struct map_entry *entry = &maps->entries[at];
	for (uint32_t i = at + 1, lowest = at > PIECES_MAX ? at - PIECES_MAX : 0; i-- > lowest;) {
		const struct map_entry *below = &maps->entries[i];
		if (is_same_file(below, entry) && below->offset == 0)
			return below->start;
	}
	return 0;
}

static void read_build_id(uintptr_t base, struct module *module)
{
	struct elf_image image;
	if (base && elf_image_read(base, &image)) {
		module->image = base;
		elf_image_build_id(&image, module->build_id);
	}
}

/* Code that no file holds has no name that a reader could use, except the kernel's. */
static bool is_module(const struct map_entry *entry)
{
	return entry->executable && (entry->inode || entry->path[0] == '[') && strncmp(entry->path, "[anon", 5) != 0 &&
	       strcmp(entry->path, "[heap]") != 0 && strncmp(entry->path, "[stack", 6) != 0;
}

static bool continues(const struct module *last, const struct map_entry *entry)
{
	return last->limit == entry->start && last->inode == entry->inode && last->device == entry->device &&
	       last->offset + (last->limit - last->start) == entry->offset && strcmp(last->path, entry->path) == 0;
}

static void add_entry(struct module_list *list, const struct maps *maps, uint32_t at)
{
	const struct map_entry *entry = &maps->entries[at];
	struct module *last = list->count ? &list->modules[list->count - 1] : NULL;
	if (last && continues(last, entry)) {
		last->limit = entry->limit;
		return;
	}
	struct module *module = &list->modules[list->count++];
	*module = (struct module){
		.start = entry->start,
		.limit = entry->limit,
		.offset = entry->offset,
		.path = entry->path,
		.device = entry->device,
		.inode = entry->inode,
		.deleted = entry->deleted,
	};
	read_build_id(image_base(maps, at), module);
}

static const struct map_entry *entry_at(const struct maps *maps, uint64_t address)
{
	for (uint32_t i = 0; i < maps->count; i++) {
		if (address - maps->entries[i].start < maps->entries[i].limit - maps->entries[i].start)
			return &maps->entries[i];
	}
	return NULL;
}

/* All pieces of the main binary to the front, the rest in order behind them. */
static void main_first(struct module_list *list, const struct map_entry *main_entry)
{
	struct module *sorted = work_alloc_array(list->count, sizeof(*sorted));
	uint32_t count = 0;
	for (int pass = 0; pass < 2; pass++) {
		for (uint32_t i = 0; i < list->count; i++) {
			struct module *module = &list->modules[i];
			module->is_main = main_entry && module->inode == main_entry->inode &&
			                  module->device == main_entry->device && strcmp(module->path, main_entry->path) == 0;
			if (module->is_main == (pass == 0))
				sorted[count++] = *module;
		}
	}
	list->modules = sorted;
}

static bool modules_from_maps(struct module_list *list)
{
	struct buffer text;
	struct maps maps;
	buffer_init(&text, MAPS_MAX);
	if (!read_maps(&text))
		return false;
	maps_parse(text.data, text.length, &maps);
	name_replaced_text(&maps);
	list->modules = work_alloc_array(maps.count, sizeof(*list->modules));
	list->count = 0;
	for (uint32_t i = 0; i < maps.count; i++) {
		if (is_module(&maps.entries[i]))
			add_entry(list, &maps, i);
	}
	/* The program headers lie in the first piece of the main binary, wherever the loader put it. */
	main_first(list, entry_at(&maps, getauxval(AT_PHDR)));
	return list->count > 0;
}

/* --- the loader's list ---------------------------------------------------------------------------------------------- */

/* Weak: a program that is all static has no loader. */
extern struct r_debug _r_debug __attribute__((weak));

/* A string that may go away, or not end. */
static const char *copy_path(const char *from)
{
	char *path = work_alloc(PATH_SIZE);
	long got = sys_copy_memory(path, from, PATH_SIZE - 1);
	path[got > 0 ? got : 0] = '\0';
	return path;
}

static void add_image(struct module_list *list, uintptr_t base, const char *path, bool is_main)
{
	struct elf_image image;
	if (!elf_image_read(base, &image))
		return;
	for (uint32_t i = 0; i < image.segment_count; i++) {
		const Elf64_Phdr *segment = &image.segments[i];
		if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X) || !segment->p_memsz || list->count == LOADED_MAX)
			continue;
		struct module *module = &list->modules[list->count++];
		uint64_t in_page = segment->p_vaddr & 4095;
		*module = (struct module){
			.start = image.bias + segment->p_vaddr - in_page,
			.limit = (image.bias + segment->p_vaddr + segment->p_memsz + 4095) & ~(uint64_t)4095,
			.offset = segment->p_offset - in_page,
			.path = path,
			.image = base,
			.is_main = is_main,
		};
		elf_image_build_id(&image, module->build_id);
	}
}

/* The file's first page lies in front of the program headers, at the offset that it states itself. */
static uintptr_t main_base(void)
{
	uintptr_t headers = getauxval(AT_PHDR);
	return headers & ~(uintptr_t)4095;
}

static const char *main_path(void)
{
	char *path = work_alloc(PATH_SIZE);
	long length = sys3(SYS_readlink, (long)"/proc/thread-self/exe", (long)path, PATH_SIZE - 1);
	if (length > 0)
		return path;
	return copy_path((const char *)getauxval(AT_EXECFN));
}

static int compare_modules(const void *one, const void *two, void *arg)
{
	const struct module *a = one, *b = two;
	(void)arg;
	if (a->is_main != b->is_main)
		return a->is_main ? -1 : 1;
	return a->start < b->start ? -1 : a->start > b->start;
}

static void modules_from_loader(struct module_list *list)
{
	list->modules = work_alloc_array(LOADED_MAX, sizeof(*list->modules));
	list->count = 0;
	add_image(list, main_base(), main_path(), true);
	add_image(list, getauxval(AT_SYSINFO_EHDR), "[vdso]", false);
	struct link_map loaded = { .l_next = &_r_debug ? _r_debug.r_map : NULL };
	for (int i = 0; i < LOADED_MAX && loaded.l_next; i++) {
		if (sys_copy_memory(&loaded, loaded.l_next, sizeof(loaded)) != (long)sizeof(loaded))
			break;
		/* The main binary and the vDSO have names of no use, and have been seen to. */
		const char *path = copy_path(loaded.l_name);
		if (path[0] == '/')
			add_image(list, loaded.l_addr, path, false);
	}
	own_sort(list->modules, list->count, sizeof(*list->modules), compare_modules, NULL);
}

void modules_read(struct module_list *ret_list)
{
	if (!modules_from_maps(ret_list))
		modules_from_loader(ret_list);
}

/* The first may be any, the rest are in order: a handful of pieces of the main binary, then bisection. */
const struct module *modules_find(const struct module_list *list, uintptr_t address)
{
	uint32_t low = 0, high = list->count;
	for (; low < high && list->modules[low].is_main; low++) {
		if (address - list->modules[low].start < list->modules[low].limit - list->modules[low].start)
			return &list->modules[low];
	}
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct module *module = &list->modules[middle];
		if (address < module->start)
			high = middle;
		else if (address >= module->limit)
			low = middle + 1;
		else
			return module;
	}
	return NULL;
}
