/* facts.h - what /proc says about this process, and sizes and durations as people read them. Any thread of ours.
 */
#ifndef CPPROF_RUNTIME_SERVE_FACTS_H
#define CPPROF_RUNTIME_SERVE_FACTS_H

#include <stdint.h>

#include "base/buffer.h"

/* Each -1 if /proc does not tell (not mounted, or privileges were dropped). */
int64_t facts_resident_bytes(void);
int64_t facts_open_descriptors(void);

/* "12.3 MB": powers of 1024. */
void facts_size(uint64_t bytes, struct buffer *to);
/* "3 d 04:05:06", "04:05:06". */
void facts_duration(uint64_t seconds, struct buffer *to);

#endif
