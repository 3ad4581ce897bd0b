/* unload.c - the hook of dlclose: notes where what it unloads has been (shared/unloaded.h).
 *
 * The loaded files are listed before the call and, if anything has been unloaded, looked for after it. Both are done in a callback of
 * dl_iterate_phdr, whose lock keeps the linker's lists, of all namespaces, and the files themselves as they are. Unloading behind everybody's back
 * (NSS, iconv) is not seen.
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <string.h>

#include "runtime/hooks/malloc.h"
#include "runtime/hooks/real.h"
#include "runtime/shared/losses.h"
#include "runtime/shared/pages.h"
#include "runtime/shared/process.h"
#include "runtime/shared/stack_table.h"
#include "runtime/shared/sys.h"
#include "runtime/shared/tls.h"
#include "runtime/shared/unloaded.h"
#include "runtime/signal/module_image.h"
#include "runtime/signal/module_map.h"

#define FEW 32u /* files that may be unloaded, as most programs have: kept on the caller's stack */
#define MODULES_MAX 4096u
#define ID_BYTES 24u

/* Files that may be unloaded, as they are before the call. */
struct loaded {
	unsigned long long unloads; /* a number that changes with each unload */
	struct candidate {
		struct unloaded_module module;
		bool stays;
	} * at;
	uint32_t count, room, beyond; /* beyond: for how many there was no room */
	struct candidate few[FEW];
};

/* 0: it has no build id. */
static uint64_t identity_of(uintptr_t start, uintptr_t end, bool may_vanish)
{
	uint64_t words[ID_BYTES / 8], hash = end - start;
	struct module_image image = { start, end, may_vanish };
	uint32_t note = module_image_build_id(&image);
	if (!note || !module_image_read(&image, words, start + note, ID_BYTES))
		return 0;
	for (unsigned i = 0; i < ID_BYTES / 8; i++) {
		hash = (hash ^ words[i]) * 0x9E3779B97F4A7C15u;
		hash ^= hash >> 29;
	}
	return hash | 1;
}

static bool find_object(uintptr_t address, struct dl_find_object *ret_found)
{
	union {
		uintptr_t number;
		void *pointer;
	} where = { address };
	return _dl_find_object(where.pointer, ret_found) == 0;
}

static bool is_back(const struct unloaded_module *module)
{
	struct dl_find_object found;
	return find_object(module->low, &found) && (uintptr_t)found.dlfo_map_start == module->low &&
	       (uintptr_t)found.dlfo_map_end == module->high &&
	       identity_of(module->low, module->high, true) == module->identity;
}

/* False: the file is one that stays for ever, or is just being loaded. */
static bool describe(const struct link_map *map, struct unloaded_module *ret_module)
{
	struct dl_find_object found;
	struct cfi_tables tables;
	uintptr_t address = (uintptr_t)map->l_ld;
	if (!find_object(address, &found) || found.dlfo_link_map != map || module_map_staying(address, &tables))
		return false;
	uintptr_t start = (uintptr_t)found.dlfo_map_start, end = (uintptr_t)found.dlfo_map_end;
	*ret_module = (struct unloaded_module){ start, end, identity_of(start, end, false) };
	return true;
}

/* --- inside the linker's lock ---------------------------------------------------------------------------------------- */

/* The linker's lists, one for each namespace, one after the other. */
static const struct r_debug_extended *first_namespace(void)
{
	return (const struct r_debug_extended *)&_r_debug;
}

static const struct r_debug_extended *next_namespace(const struct r_debug_extended *one)
{
	return one->base.r_version >= 2 ? one->r_next : NULL;
}

static void note(struct loaded *loaded, const struct unloaded_module *module)
{
	if (loaded->count < loaded->room)
		loaded->at[loaded->count++] = (struct candidate){ *module, false };
	else
		loaded->beyond++;
}

static int list_loaded(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct loaded *loaded = arg;
	struct unloaded_module module;
	(void)size;
	loaded->unloads = info->dlpi_subs;
	loaded->count = loaded->beyond = 0;
	for (const struct r_debug_extended *one = first_namespace(); one; one = next_namespace(one))
		for (const struct link_map *map = one->base.r_map; map; map = map->l_next)
			if (describe(map, &module))
				note(loaded, &module);
	return 1;
}

/* What is still there mostly stands in the order in which it stood before. */
static void find_again(struct loaded *loaded, uint32_t *from, const struct unloaded_module *module)
{
	for (uint32_t i = 0; i < loaded->count; i++) {
		uint32_t at = (*from + i) % loaded->count;
		if (memcmp(&loaded->at[at].module, module, sizeof(*module)) == 0) {
			loaded->at[at].stays = true;
			*from = at + 1;
			return;
		}
	}
}

static int find_staying(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct loaded *loaded = arg;
	struct unloaded_module module;
	uint32_t from = 0;
	(void)size;
	if (info->dlpi_subs == loaded->unloads) {
		loaded->count = 0;
		return 1;
	}
	for (const struct r_debug_extended *one = first_namespace(); one; one = next_namespace(one))
		for (const struct link_map *map = one->base.r_map; map; map = map->l_next)
			if (describe(map, &module))
				find_again(loaded, &from, &module);
	return 1;
}

/* --- around the call -------------------------------------------------------------------------------------------------- */

static void list_many(struct loaded *loaded)
{
	struct candidate *pages = pages_map(MODULES_MAX * sizeof(*pages));
	if (pages) {
		loaded->at = pages;
		loaded->room = MODULES_MAX;
		REAL(dl_iterate_phdr)(list_loaded, loaded);
	}
	if (loaded->beyond)
		loss_count(LOSS_UNLOADED);
}

static void begin(struct loaded *loaded)
{
	uint64_t signals;
	int saved = errno;
	sys_block_signals(&signals);
	tls.guard++;
	process_check();
	loaded->at = loaded->few;
	loaded->room = FEW;
	REAL(dl_iterate_phdr)(list_loaded, loaded);
	if (loaded->beyond)
		list_many(loaded);
	tls.guard--;
	sys_restore_signals(&signals);
	errno = saved;
}

static void end(struct loaded *loaded)
{
	uint64_t signals;
	int saved = errno;
	sys_block_signals(&signals);
	tls.guard++;
	REAL(dl_iterate_phdr)(find_staying, loaded);
	uint32_t stacks = stack_table_count();
	for (uint32_t i = 0; i < loaded->count; i++)
		if (!loaded->at[i].stays)
			unloaded_add(&loaded->at[i].module, stacks, is_back);
	if (loaded->at != loaded->few)
		pages_unmap(loaded->at, MODULES_MAX * sizeof(*loaded->at));
	tls.guard--;
	sys_restore_signals(&signals);
	errno = saved;
}

HOOK int dlclose(void *handle)
{
	/* Where waits are not recorded, allocations may be. */
	bool records = !tls.guard && (!hooks_off || heap_state() == HEAP_ON);
	struct loaded loaded;
	if (!records)
		return REAL(dlclose)(handle);
	begin(&loaded);
	int result = REAL(dlclose)(handle);
	end(&loaded);
	return result;
}
