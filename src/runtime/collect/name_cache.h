/* name_cache.h - names that were found before, kept in pages of our own, 4 MiB at the most; full, it starts anew.
 *
 * Only inside work_run, which lets one piece of work run at a time. A cache that a piece of work left half written (out of
 * memory, or the copy of it in a fork child) is noticed and emptied.
 */
#ifndef CPPROF_RUNTIME_COLLECT_NAME_CACHE_H
#define CPPROF_RUNTIME_COLLECT_NAME_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/collect/names.h"

/* An address of a file, wherever it is loaded. */
struct name_key {
	uint64_t file; /* hash of the build id, or of the path and inode */
	uint64_t offset;
};

struct name_key name_key_of(const struct module *module, uintptr_t address);
/* What is known of the key, as a copy in the memory of the work in progress, for the file as it lies now (`address` is the key's).
 * False: nothing is kept. */
bool name_cache_find(struct name_key key, uintptr_t address, struct name *ret_name);
/* Keeps the name, in place of an older one. */
void name_cache_put(struct name_key key, uintptr_t address, const struct name *name);
/* Bytes of its pages. */
uint64_t name_cache_bytes(void);

#endif
