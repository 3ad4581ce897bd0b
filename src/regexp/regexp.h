/* regexp.h - Go's regular expressions (RE2 syntax): whether a text matches.
 *
 * A pattern is accepted or refused exactly as Go's regexp.Compile does, in its words, and matches the texts that it
 * matches there: unanchored, ASCII \d \w \s \b, $ without (?m) only at the very end, a byte that is not UTF-8 taken for
 * U+FFFD. Not here: where the match is, and what its groups captured.
 *
 * Compiling takes time and memory proportional to the length of the pattern with its counted repetitions written out (some
 * 4 million steps at most) and to the ranges of its different classes (16 million at most). For one pattern, a search takes
 * time proportional to the text; at the worst, when hardly a byte leads to a state seen before, a byte costs as much as the
 * compiled pattern is long.
 */
#ifndef CPPROF_REGEXP_REGEXP_H
#define CPPROF_REGEXP_REGEXP_H

#include <stdbool.h>

#include "base/status.h"
#include "base/str.h"

struct regexp;

/* Compiles the pattern; the caller frees *ret_regexp with regexp_free.
 * STATUS_INVALID with Go's message, e.g. "error parsing regexp: missing closing ): `(`". */
enum status regexp_compile(struct str pattern, struct regexp **ret_regexp, struct error *err) CPPROF_MUST_USE;
/* NULL is allowed. */
void regexp_free(struct regexp *regexp);

/* True if the pattern matches somewhere in the text. It remembers what it has learned about texts, though const:
 * one regexp, one thread at a time. */
bool regexp_search(const struct regexp *regexp, struct str text);

#endif
