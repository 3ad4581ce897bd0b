/* rule_find.h - the rule for an address: from the cache, or from the module's tables and then into the cache.
 *
 * No allocation, no lock that is waited for; any territory. `may_vanish`: see module_map.h.
 */
#ifndef CPPROF_RUNTIME_SIGNAL_RULE_FIND_H
#define CPPROF_RUNTIME_SIGNAL_RULE_FIND_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/signal/cfi.h"

uint32_t rule_find(uintptr_t address, bool may_vanish);
/* The full row, for RULE_COMPLEX; always from the tables. `room` as for cfi_find: not NULL if may_vanish. */
bool rule_find_row(uintptr_t address, bool may_vanish, struct cfi_room *room, struct cfi_row *ret_row);
/* Where the function with this address begins; 0 = not described. */
uintptr_t rule_find_function(uintptr_t address, bool may_vanish);

#endif
