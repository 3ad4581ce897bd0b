/* render.h - a table, or a thread dump, as bytes that tools read. Inside work_run.
 */
#ifndef CPPROF_RUNTIME_COLLECT_RENDER_H
#define CPPROF_RUNTIME_COLLECT_RENDER_H

#include "base/buffer.h"
#include "runtime/collect/collect.h"
#include "runtime/collect/table.h"

/* profile.proto, gzip'ed: mappings, build ids, names as far as they can be had. False: failed to compress. */
bool render_profile(const struct table *table, struct buffer *to);
/* Go's debug=1 text for this profile: "heap profile: ..." with MAPPED_LIBRARIES, "goroutine profile: total N", ... */
void render_text(const struct table *table, struct buffer *to);
/* block, mutex and wait, debug=1: "--- contention:" with the sums, and on lines that readers pass over the waits in progress with their age (NULL:
 * none are known, as of mutex). */
void render_contention(const struct table *sums, const struct table *waiting, struct buffer *to);
/* debug=2: one block a thread, in the shape of Go's panic output. */
void render_threads(const struct thread_dump *dump, struct buffer *to);

#endif
