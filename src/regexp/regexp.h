/* regexp.h - Go's regular expressions (RE2 syntax), run by PCRE2.
 *
 * A pattern is parsed by our own parser, which accepts exactly what Go's regexp/syntax (Perl flags) accepts and
 * complains in its words; what it accepted is written anew for PCRE2 so that it means the same there: leftmost-first
 * search, ASCII \d \w \s \b, $ without (?m) only at the very end, texts that need not be valid UTF-8.
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
void regexp_free(struct regexp *regexp);

/* True if the pattern matches somewhere in the text. Any thread may call it on a regexp of its own. A match that
 * exceeds the effort limit counts as no match and is counted (regexp_gave_up). */
bool regexp_search(const struct regexp *regexp, struct str text);
/* The same with the place of the leftmost match. */
bool regexp_find(const struct regexp *regexp, struct str text, size_t *ret_start, size_t *ret_end);
/* How many searches hit the effort limit. */
unsigned long regexp_gave_up(const struct regexp *regexp);
/* The pattern as it was given. */
struct str regexp_pattern(const struct regexp *regexp);

#endif
