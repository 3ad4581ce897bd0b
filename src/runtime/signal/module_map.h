/* module_map.h - which loaded file an address belongs to, and whether that file can ever be unloaded.
 *
 * Modules that were there when we came up (the executable and what it needs) stay until the process ends. Others are looked up anew
 * each time, by the dynamic linker's own lock-free table.
 */
#ifndef CPPROF_RUNTIME_SIGNAL_MODULE_MAP_H
#define CPPROF_RUNTIME_SIGNAL_MODULE_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/signal/cfi.h"

/* Notes the modules that stay. Idempotent; no lock, no allocation. */
void module_map_init(void);
/* The tables of the module at `address`. False: in no module. Any territory. */
bool module_map_find(uintptr_t address, struct cfi_tables *ret_tables);
/* True: this address belongs to a module that is never unloaded. */
bool module_map_stays(uintptr_t address);

#endif
