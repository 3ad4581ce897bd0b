/* names.c - names for addresses: from the cache, from symbol tables, and from the helper where lines are wanted.
 *
 * Symbol tables are looked for in the file of the module, in the loaded image, and in a separate debug file, until every
 * address has a name. Reading them is elf_symbols.c.
 */
#include "runtime/collect/names.h"

#include <string.h>
#include <sys/stat.h>

#include "runtime/collect/elf_symbols.h"
#include "runtime/collect/helper.h"
#include "runtime/collect/name_cache.h"
#include "runtime/shared/frames.h"
#include "runtime/shared/own_libc.h"
#include "runtime/shared/region.h"
#include "runtime/shared/settings.h"
#include "runtime/shared/sys.h"

#define BLOCK_SIZE ((size_t)64 * 1024)
#define POOL_MAX ((size_t)64 * 1024 * 1024)

/* One distinct address, sorted by address. */
struct wanted {
	uintptr_t address;
	const struct module *module;
	struct name_key key;
	struct name name;
	bool is_new; /* to be kept in the cache */
};

static int compare_wanted(const void *one, const void *two, void *arg)
{
	const struct wanted *a = one, *b = two;
	(void)arg;
	return a->address < b->address ? -1 : a->address > b->address;
}

/* --- symbol tables -------------------------------------------------------------------------------------------------- */

/* Opens a regular file only: a name may have become a pipe, or a device whose opening does something. */
static int open_regular(const char *path)
{
	struct stat facts;
	int fd = sys_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return fd;
	if (sys3(SYS_fstat, fd, (long)&facts, 0) < 0 || !S_ISREG(facts.st_mode)) {
		sys_close(fd);
		return -1;
	}
	return fd;
}

static bool search_file(const char *path, const char *build_id, struct symbol_query *queries, size_t count,
                        struct symbol_pool *pool)
{
	int fd = open_regular(path);
	if (fd < 0)
		return false;
	bool found = elf_symbols_from_file(fd, build_id, queries, count, pool);
	sys_close(fd);
	return found;
}

static bool has_nameless(const struct symbol_query *queries, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!queries[i].name)
			return true;
	}
	return false;
}

static void search_module(const struct module *module, const struct elf_image *image, struct symbol_query *queries,
                          size_t count, struct symbol_pool *pool)
{
	bool found = false;
	if (module->path[0] == '/' && (!module->deleted || module->build_id[0]))
		found = search_file(module->path, module->build_id, queries, count, pool);
	/* The program's own file stays reachable when its name is gone. */
	if (!found && module->is_main)
		found = search_file("/proc/thread-self/exe", module->build_id, queries, count, pool);
	if (has_nameless(queries, count) && strlen(module->build_id) > 2) {
		char path[128];
		own_snprintf(path, sizeof(path), "/usr/lib/debug/.build-id/%.2s/%s.debug", module->build_id,
		             module->build_id + 2);
		search_file(path, module->build_id, queries, count, pool);
	}
	if (!found && has_nameless(queries, count))
		elf_symbols_from_image(image, queries, count, pool);
}

static void take_symbol(const struct symbol_query *query, uint64_t bias, struct wanted *wanted)
{
	wanted->is_new = true;
	if (!query->name)
		return;
	struct name_line *line = work_alloc(sizeof(*line));
	*line = (struct name_line){
		.function = query->name,
		.system_name = query->name,
		.function_start = bias + query->start,
	};
	wanted->name = (struct name){ .lines = line, .line_count = 1 };
}

static void make_pool(struct symbol_pool *pool, size_t addresses)
{
	size_t size = addresses < POOL_MAX / ELF_SYMBOL_NAME_MAX ? addresses * ELF_SYMBOL_NAME_MAX : POOL_MAX;
	/* Pages of it that no name is written to cost nothing. */
	*pool = (struct symbol_pool){
		.names = work_alloc(size),
		.name_size = size,
		.block = work_alloc(BLOCK_SIZE),
		.block_size = BLOCK_SIZE,
	};
}

/* Names for the new addresses of one module: wanted[0..count). */
static void name_module(struct wanted *wanted, size_t count, struct symbol_query *queries, struct symbol_pool *pool)
{
	const struct module *module = wanted[0].module;
	struct elf_image image;
	if (!module->image || !elf_image_read(module->image, &image))
		return;
	size_t used = 0;
	for (size_t i = 0; i < count; i++) {
		if (wanted[i].is_new)
			queries[used++] = (struct symbol_query){ .address = wanted[i].address - image.bias };
	}
	if (used == 0)
		return;
	search_module(module, &image, queries, used, pool);
	for (size_t i = 0, k = 0; i < count; i++) {
		if (wanted[i].is_new)
			take_symbol(&queries[k++], image.bias, &wanted[i]);
	}
}

static void name_by_symbols(struct wanted *wanted, size_t count)
{
	struct symbol_query *queries = work_alloc_array(count, sizeof(*queries));
	struct symbol_pool pool;
	make_pool(&pool, count);
	for (size_t i = 0, end; i < count; i = end) {
		for (end = i + 1; end < count && wanted[end].module == wanted[i].module;)
			end++;
		name_module(wanted + i, end - i, queries, &pool);
	}
}

/* --- the helper ----------------------------------------------------------------------------------------------------- */

/* The start of the physical function is known from symbols alone. */
static void take_answer(const struct name *answer, struct wanted *wanted)
{
	wanted->is_new = true;
	if (answer->line_count) {
		uint64_t start = wanted->name.line_count ? wanted->name.lines[0].function_start : 0;
		struct name_line *lines = work_alloc_array(answer->line_count, sizeof(*lines));
		for (uint32_t i = 0; i < answer->line_count; i++) {
			lines[i] = answer->lines[i];
			lines[i].function_start = start;
		}
		wanted->name.lines = lines;
		wanted->name.line_count = answer->line_count;
	}
	wanted->name.is_final = true;
}

static void name_by_helper(const struct module_list *list, struct wanted *wanted, size_t count)
{
	struct helper_query *queries = work_alloc_array(count, sizeof(*queries));
	size_t used = 0;
	for (size_t i = 0; i < count; i++) {
		if (!wanted[i].name.is_final && wanted[i].module->path[0] == '/')
			queries[used++] = (struct helper_query){ .address = wanted[i].address, .module = wanted[i].module };
	}
	if (used == 0 || !helper_ask(list, queries, used))
		return;
	for (size_t i = 0, k = 0; i < count && k < used; i++) {
		if (wanted[i].address == queries[k].address)
			take_answer(&queries[k++].answer, &wanted[i]);
	}
}

/* --- all of it ------------------------------------------------------------------------------------------------------ */

/* The distinct addresses that lie in a module. */
static size_t collect_wanted(const struct module_list *list, const uintptr_t *addresses, size_t count,
                             struct wanted *ret_wanted)
{
	size_t used = 0, distinct = 0;
	for (size_t i = 0; i < count; i++) {
		const struct module *module = addresses[i] < PSEUDO_LIMIT ? NULL : modules_find(list, addresses[i]);
		if (module)
			ret_wanted[used++] = (struct wanted){ .address = addresses[i], .module = module };
	}
	own_sort(ret_wanted, used, sizeof(*ret_wanted), compare_wanted, NULL);
	for (size_t i = 0; i < used; i++) {
		if (i == 0 || ret_wanted[i].address != ret_wanted[distinct - 1].address)
			ret_wanted[distinct++] = ret_wanted[i];
	}
	return distinct;
}

static const struct wanted *find_wanted(const struct wanted *wanted, size_t count, uintptr_t address)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (wanted[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && wanted[low].address == address ? &wanted[low] : NULL;
}

static void look_up(const struct module_list *list, struct wanted *wanted, size_t count, bool want_lines)
{
	bool any_new = false;
	for (size_t i = 0; i < count; i++) {
		wanted[i].key = name_key_of(wanted[i].module, wanted[i].address);
		wanted[i].is_new = !name_cache_find(wanted[i].key, wanted[i].address, &wanted[i].name);
		any_new |= wanted[i].is_new;
	}
	if (any_new)
		name_by_symbols(wanted, count);
	if (want_lines)
		name_by_helper(list, wanted, count);
	for (size_t i = 0; i < count; i++) {
		if (wanted[i].is_new)
			name_cache_put(wanted[i].key, wanted[i].address, &wanted[i].name);
	}
}

void names_find(const struct module_list *list, const uintptr_t *addresses, size_t count, bool want_lines,
                struct name *ret_names)
{
	memset(ret_names, 0, count * sizeof(*ret_names));
	if (settings.names_off || count == 0)
		return;
	struct wanted *wanted = work_alloc_array(count, sizeof(*wanted));
	size_t distinct = collect_wanted(list, addresses, count, wanted);
	if (distinct == 0)
		return;
	look_up(list, wanted, distinct, want_lines);
	for (size_t i = 0; i < count; i++) {
		const struct wanted *found = find_wanted(wanted, distinct, addresses[i]);
		if (found)
			ret_names[i] = found->name;
	}
}

uint64_t names_bytes(void)
{
	return name_cache_bytes();
}
