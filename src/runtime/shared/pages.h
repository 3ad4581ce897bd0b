/* pages.h - the runtime's own memory: anonymous mappings, counted, never the host's malloc.
 *
 * Any territory, any thread. Pages are zero, cost nothing until touched, and are inherited by fork like all memory.
 */
#ifndef CPPROF_RUNTIME_SHARED_PAGES_H
#define CPPROF_RUNTIME_SHARED_PAGES_H

#include <stddef.h>
#include <stdint.h>

#define PAGE_SIZE ((size_t)4096)

/* `size` is rounded up to whole pages. NULL when the kernel refuses. */
void *pages_map(size_t size);
void pages_unmap(void *pages, size_t size);
/* Bytes mapped now by pages_map (address space, not resident memory). */
uint64_t pages_mapped_bytes(void);

#endif
