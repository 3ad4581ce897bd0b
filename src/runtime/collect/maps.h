/* maps.h - the text of /proc/self/maps, taken apart. Opens nothing; memory of the work in progress.
 *
 * Format: proc(5), "/proc/pid/maps".
 */
#ifndef CPPROF_RUNTIME_COLLECT_MAPS_H
#define CPPROF_RUNTIME_COLLECT_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_entry {
	uint64_t start, limit; /* start < limit */
	uint64_t offset;
	uint64_t device; /* major << 32 | minor */
	uint64_t inode;  /* 0 = no file */
	bool executable;
	const char *path; /* "" = none; " (deleted)" taken off, "\012" made a newline again */
	bool deleted;
};

struct maps {
	struct map_entry *entries; /* in the order of the text, which is that of the addresses */
	uint32_t count;
};

/* Lines that are none of the format are skipped. */
void maps_parse(const char *text, size_t length, struct maps *ret_maps);

#endif
