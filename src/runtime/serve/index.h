/* index.h - the page at /debug/pprof/. Inside work_run.
 */
#ifndef CPPROF_RUNTIME_SERVE_INDEX_H
#define CPPROF_RUNTIME_SERVE_INDEX_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/str.h"

/* HTML: Go's page, then facts about the process, what is off and why, and what was lost. `requests`: answered so far. */
void index_render(uint64_t requests, struct buffer *to);

/* Text as HTML, inside elements and quoted attributes; what is not UTF-8 becomes '?'. */
void html_escape(struct str text, struct buffer *to);

#endif
