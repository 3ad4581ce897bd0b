/* module_image.h - what can be learnt from a loaded file's own headers, as they lie in memory.
 *
 * No allocation, no lock; any territory.
 */
#ifndef CPPROF_RUNTIME_SIGNAL_MODULE_IMAGE_H
#define CPPROF_RUNTIME_SIGNAL_MODULE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/signal/cfi.h"

struct link_map;

struct module_image {
	uintptr_t start, end; /* from its lowest segment to the end of its highest */
	bool may_vanish;      /* read by copies that fail instead of faulting */
};

bool module_image_read(const struct module_image *image, void *to, uintptr_t from, size_t size);
/* The bounds of the segments with .eh_frame_hdr, which lies at `header`, and .eh_frame: between segments there may be
 * holes. */
bool module_image_tables(const struct module_image *image, uintptr_t header, struct cfi_tables *ret_tables);
/* Where the bytes of the build id begin, from image->start on; 0 = none. At least 24 bytes are there. */
uint32_t module_image_build_id(const struct module_image *image);
/* The files that can never be unloaded, out of the dynamic linker's list. Returns how many, `max` at the most. */
uint32_t module_image_closure(const struct link_map **ret_maps, uint32_t max);

#endif
