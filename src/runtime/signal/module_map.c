/* module_map.c - modules that stay, in a sorted array; late ones by _dl_find_object and a small table of identities.
 */
#include "runtime/signal/module_map.h"

#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <string.h>

#include "runtime/shared/sys.h"
#include "runtime/signal/module_image.h"
#include "runtime/signal/rule_cache.h"
#include "runtime/signal/stack_memory.h"

#define STAYING_MAX 384u /* further ones count as late: right all the same, a little slower */
#define LATE_SLOTS 512u
#define LATE_PROBES 16u
#define HASHED_BYTES 24u

/* The bounds of its tables are found when they are first asked for: the pages of its headers may not have been touched yet. */
enum { TABLES_UNKNOWN, TABLES_BEING_WRITTEN, TABLES_KNOWN };
static struct staying {
	uintptr_t start, end, header;
	_Atomic int state;
	struct cfi_tables tables;
} staying[STAYING_MAX];
static _Atomic uint32_t staying_count;

/* Readers look at start, note and identity, which are only changed by the holder of late_writer; whatever mixture they
 * may see, an identity that is equal to the module's own is its own. */
static struct late_slot {
	_Atomic uintptr_t start;
	_Atomic uint64_t identity; /* 0 = none */
	_Atomic uint32_t note;     /* where the build id lies, from start on */
	uintptr_t end;
} late_slots[LATE_SLOTS];
/* The pid of the process in which a thread is writing; a fork child finds its parent's and takes no notice of it. */
static _Atomic int late_writer;

static bool find_object(uintptr_t address, struct dl_find_object *ret_found)
{
	union {
		uintptr_t number;
		void *pointer;
	} where = { address };
	return _dl_find_object(where.pointer, ret_found) == 0;
}

/* --- modules that stay -------------------------------------------------------------------------------------------- */

/* Sorted by address. */
static void insert_staying(uint32_t count, const struct dl_find_object *found)
{
	uintptr_t start = (uintptr_t)found->dlfo_map_start;
	uint32_t at = count;
	for (; at > 0 && staying[at - 1].start > start; at--) {
		staying[at].start = staying[at - 1].start;
		staying[at].end = staying[at - 1].end;
		staying[at].header = staying[at - 1].header;
	}
	staying[at].start = start;
	staying[at].end = (uintptr_t)found->dlfo_map_end;
	staying[at].header = (uintptr_t)found->dlfo_eh_frame;
}

void module_map_init(void)
{
	static _Atomic int begun;
	if (atomic_exchange(&begun, 1))
		return;
	const struct link_map *maps[STAYING_MAX];
	uint32_t found_count = module_image_closure(maps, STAYING_MAX), count = 0;
	for (uint32_t i = 0; i < found_count; i++) {
		struct dl_find_object found;
		if (find_object((uintptr_t)maps[i]->l_ld, &found) && found.dlfo_link_map == maps[i])
			insert_staying(count++, &found);
	}
	atomic_store_explicit(&staying_count, count, memory_order_release);
}

static struct staying *find_staying(uintptr_t address)
{
	uint32_t low = 0, high = atomic_load_explicit(&staying_count, memory_order_acquire);
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (address >= staying[middle].end)
			low = middle + 1;
		else if (address < staying[middle].start)
			high = middle;
		else
			return &staying[middle];
	}
	return NULL;
}

bool module_map_staying(uintptr_t address, struct cfi_tables *ret_tables)
{
	struct staying *found = find_staying(address);
	if (!found)
		return false;
	if (atomic_load_explicit(&found->state, memory_order_acquire) == TABLES_KNOWN) {
		*ret_tables = found->tables;
		return true;
	}
	struct module_image image = { found->start, found->end, false };
	*ret_tables = (struct cfi_tables){ 0 };
	if (found->header)
		module_image_tables(&image, found->header, ret_tables);
	/* Only one may write; who comes meanwhile, or in a fork child of a writer, uses what he has found himself. */
	int unknown = TABLES_UNKNOWN;
	if (atomic_compare_exchange_strong_explicit(&found->state, &unknown, TABLES_BEING_WRITTEN, memory_order_relaxed,
	                                            memory_order_relaxed)) {
		found->tables = *ret_tables;
		atomic_store_explicit(&found->state, TABLES_KNOWN, memory_order_release);
	}
	return true;
}

/* --- late modules ------------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
	return hash ^ hash >> 29;
}

/* A module is told by where it lies, its build id, and the beginning of its search table. 0: it cannot be read any more. */
static uint64_t identity(const struct late_module *module, uint32_t note)
{
	uint64_t words[2][HASHED_BYTES / 8];
	struct module_image image = { module->start, module->end, module->may_vanish };
	if (!module_image_read(&image, words[0], module->header, HASHED_BYTES) ||
	    !module_image_read(&image, words[1], module->start + note, HASHED_BYTES))
		return 0;
	uint64_t hash = mix(mix(mix(module->start, module->end), module->header), module->link_map);
	for (unsigned i = 0; i < HASHED_BYTES / 8; i++)
		hash = mix(mix(hash, words[0][i]), words[1][i]);
	return hash | 1;
}

static uint32_t first_slot(uintptr_t start)
{
	return (uint32_t)(start >> 12) * 2654435761u >> 23 & (LATE_SLOTS - 1);
}

static struct late_slot *find_late(uintptr_t start)
{
	uint32_t first = first_slot(start);
	for (uint32_t probe = 0; probe < LATE_PROBES; probe++) {
		struct late_slot *slot = &late_slots[(first + probe) % LATE_SLOTS];
		if (atomic_load_explicit(&slot->start, memory_order_relaxed) == start)
			return slot;
	}
	return NULL;
}

static bool writer_enter(void)
{
	int self = sys_getpid(), holder = atomic_load_explicit(&late_writer, memory_order_relaxed);
	return holder != self && atomic_compare_exchange_strong_explicit(&late_writer, &holder, self, memory_order_acquire,
	                                                                 memory_order_relaxed);
}

/* Forgets whoever lies where the module lies now. True: somebody did. */
static bool clear_range(const struct late_module *module)
{
	bool cleared = false;
	for (uint32_t i = 0; i < LATE_SLOTS; i++) {
		struct late_slot *slot = &late_slots[i];
		uintptr_t start = atomic_load_explicit(&slot->start, memory_order_relaxed);
		if (!start || start >= module->end || slot->end <= module->start)
			continue;
		atomic_store_explicit(&slot->identity, 0, memory_order_relaxed);
		atomic_store_explicit(&slot->start, 0, memory_order_relaxed);
		cleared = true;
	}
	return cleared;
}

static struct late_slot *free_slot(uintptr_t start, bool *ret_evicted)
{
	uint32_t first = first_slot(start);
	for (uint32_t probe = 0; probe < LATE_PROBES; probe++) {
		struct late_slot *slot = &late_slots[(first + probe) % LATE_SLOTS];
		if (!atomic_load_explicit(&slot->start, memory_order_relaxed))
			return slot;
	}
	*ret_evicted = true;
	return &late_slots[first];
}

/* Puts a module on the list. Rules that were kept for one that is no longer on it are dropped before. */
static enum late admit(struct late_module *module)
{
	if (!writer_enter())
		return LATE_NO_KEEP;
	struct module_image image = { module->start, module->end, module->may_vanish };
	uint32_t note = module_image_build_id(&image);
	uint64_t its_identity = identity(module, note);
	if (its_identity) {
		bool drop = clear_range(module);
		struct late_slot *slot = free_slot(module->start, &drop);
		atomic_store_explicit(&slot->identity, 0, memory_order_relaxed);
		if (drop)
			rule_cache_drop_late();
		slot->end = module->end;
		atomic_store_explicit(&slot->note, note, memory_order_relaxed);
		atomic_store_explicit(&slot->start, module->start, memory_order_relaxed);
		atomic_store_explicit(&slot->identity, its_identity, memory_order_release);
	}
	atomic_store_explicit(&late_writer, 0, memory_order_release);
	module->identity = its_identity;
	return its_identity ? LATE_KEEP : LATE_NONE;
}

enum late module_map_late(uintptr_t address, bool may_vanish, struct late_module *ret_module)
{
	struct dl_find_object found;
	if (!find_object(address, &found) || !found.dlfo_eh_frame)
		return LATE_NONE;
	*ret_module = (struct late_module){ (uintptr_t)found.dlfo_map_start,
		                                (uintptr_t)found.dlfo_map_end,
		                                (uintptr_t)found.dlfo_eh_frame,
		                                (uintptr_t)found.dlfo_link_map,
		                                may_vanish,
		                                0 };
	const struct late_slot *slot = find_late(ret_module->start);
	if (slot) {
		uint64_t known = atomic_load_explicit(&slot->identity, memory_order_acquire);
		ret_module->identity = identity(ret_module, atomic_load_explicit(&slot->note, memory_order_relaxed));
		if (known && known == ret_module->identity)
			return LATE_KEEP;
	}
	return admit(ret_module);
}

bool module_map_late_tables(const struct late_module *module, struct cfi_tables *ret_tables)
{
	struct module_image image = { module->start, module->end, module->may_vanish };
	return module_image_tables(&image, module->header, ret_tables);
}

/* --- code --------------------------------------------------------------------------------------------------------- */

bool module_map_has(uintptr_t address)
{
	struct dl_find_object found;
	return address >> 47 == 0 && (find_staying(address) || find_object(address, &found));
}

bool module_map_code(uintptr_t end, void *to, uint32_t size)
{
	uintptr_t from = end - size;
	if (end < 2 * size || end >> 47)
		return false;
	return sys_copy_memory(to, (const unsigned char *)from, size) == (long)size;
}

uint64_t module_map_bytes(void)
{
	return sizeof(staying) + sizeof(late_slots);
}
