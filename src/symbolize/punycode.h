/* punycode.h - identifiers with characters beyond ASCII, as Rust's mangled names have them. */
#ifndef CPPROF_SYMBOLIZE_PUNYCODE_H
#define CPPROF_SYMBOLIZE_PUNYCODE_H

#include <stdbool.h>

#include "base/buffer.h"

/* "gdel_5qa" is "gödel": ASCII, and what is to be put in between. Appends the UTF-8; false if the identifier is no punycode or
 * longer than any that people write: then *ret_text may hold a part. */
bool punycode_decode(struct str identifier, struct buffer *ret_text);

#endif
