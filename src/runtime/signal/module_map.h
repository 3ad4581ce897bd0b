/* module_map.h - which loaded file an address belongs to, where its tables are, and what rules kept for it are worth.
 *
 * Two kinds. Modules that stay: the executable, what it needs (DT_NEEDED, all the way down), the dynamic linker,
 * ourselves, the vDSO: they are never unloaded, so a rule found once holds for ever, and their tables are read in place.
 * Late ones, opened at run time, may be closed and replaced by others at the same address, behind everybody's back (NSS,
 * iconv): each use asks the dynamic linker's own lock-free table anew, and compares the module's identity with the one
 * that the kept rules were made for.
 *
 * No allocation, no lock that is waited for; any territory.
 */
#ifndef CPPROF_RUNTIME_SIGNAL_MODULE_MAP_H
#define CPPROF_RUNTIME_SIGNAL_MODULE_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/signal/cfi.h"

/* Notes the modules that stay. Idempotent. The list of loaded files is walked without the linker's lock: to be called
 * while nobody else can unload one, which holds for the first call of malloc and for a constructor. */
void module_map_init(void);

/* True: `address` lies in a module that stays; ret_tables->header is 0 if it has no tables. */
bool module_map_staying(uintptr_t address, struct cfi_tables *ret_tables);

/* A late module as it is now. */
struct late_module {
	uintptr_t start, end, header, link_map;
	bool may_vanish;
	uint64_t identity; /* set with LATE_KEEP */
};
enum late {
	LATE_NONE,    /* no module, or one without tables */
	LATE_KEEP,    /* rules kept for addresses in it are good, and new ones may be kept */
	LATE_NO_KEEP, /* somebody else is just changing the list: its rules can be neither used nor kept this time */
};
/* `may_vanish`: nothing holds the module in place (the stack is another thread's, or only guessed), so it is read by
 * copies that cannot fault. Drops rules (rule_cache_drop_late) when the module has taken another's place. */
enum late module_map_late(uintptr_t address, bool may_vanish, struct late_module *ret_module);
bool module_map_late_tables(const struct late_module *module, struct cfi_tables *ret_tables);

/* True: `address` lies within some module, of either kind. */
bool module_map_has(uintptr_t address);
/* Copies code that ends at `end`; false: it is not there. */
bool module_map_code(uintptr_t end, void *to, uint32_t size);

/* Of the tables kept here, in address space. */
uint64_t module_map_bytes(void);

#endif
