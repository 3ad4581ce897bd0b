/* module_map.c - _dl_find_object, and the ranges of the modules that stay. */
#include "runtime/signal/module_map.h"

#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <stddef.h>

#define STAYING_MAX 256

static struct range {
	uintptr_t start, end;
} staying[STAYING_MAX];
static _Atomic int staying_count;
static _Atomic int begun;

static bool find_object(uintptr_t address, struct dl_find_object *ret_found)
{
	return _dl_find_object((void *)address, ret_found) == 0;
}

/* The list of loaded files is walked without the linker's lock: in the first call into the library, before the program has threads, or at
 * worst while another thread loads something, which is put at its end. */
void module_map_init(void)
{
	if (atomic_exchange(&begun, 1))
		return;
	int count = 0;
	for (const struct link_map *map = _r_debug.r_map; map && count < STAYING_MAX; map = map->l_next) {
		struct dl_find_object found;
		if (!map->l_ld || !find_object((uintptr_t)map->l_ld, &found) || found.dlfo_link_map != map)
			continue;
		struct range range = { (uintptr_t)found.dlfo_map_start, (uintptr_t)found.dlfo_map_end };
		int at = count++;
		for (; at > 0 && staying[at - 1].start > range.start; at--)
			staying[at] = staying[at - 1];
		staying[at] = range;
	}
	atomic_store_explicit(&staying_count, count, memory_order_release);
}

bool module_map_find(uintptr_t address, struct cfi_tables *ret_tables)
{
	struct dl_find_object found;
	if (!find_object(address, &found) || !found.dlfo_eh_frame)
		return false;
	ret_tables->header = found.dlfo_eh_frame;
	ret_tables->low = found.dlfo_map_start;
	ret_tables->high = found.dlfo_map_end;
	return true;
}

bool module_map_stays(uintptr_t address)
{
	int low = 0, high = atomic_load_explicit(&staying_count, memory_order_acquire);
	while (low < high) {
		int middle = (low + high) / 2;
		if (address >= staying[middle].end)
			low = middle + 1;
		else if (address < staying[middle].start)
			high = middle;
		else
			return true;
	}
	return false;
}
