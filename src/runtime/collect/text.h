/* text.h - what all that we serve keeps to: valid UTF-8, Go's quotes, columns at tab stops. */
#ifndef CPPROF_RUNTIME_COLLECT_TEXT_H
#define CPPROF_RUNTIME_COLLECT_TEXT_H

#include <stdint.h>

#include "base/buffer.h"

/* The text with each byte that is no UTF-8 replaced by U+FFFD: itself if there is none, else a copy in the memory of the work in
 * progress. NULL gives "". */
const char *text_valid(const char *text);
/* As Go's %q has it for what occurs in labels: quotes, backslashes and control characters escaped. */
void text_append_quoted(struct buffer *to, const char *text);

/* Lines of up to three cells, whose columns are aligned as Go's text/tabwriter does with tabs of 8: a column is as wide as the
 * widest of the lines that follow each other and have it, and has one blank at least. The last cell of a line is no column. */
#define TEXT_CELLS_MAX 3
struct text_line {
	const char *cells[TEXT_CELLS_MAX]; /* NULL = none from here on */
};
/* Each line begins with "#\t" and ends with a newline. */
void text_append_columns(struct buffer *to, const struct text_line *lines, uint32_t count);

#endif
