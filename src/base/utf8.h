/* utf8.h - just enough UTF-8: counting and decoding with Go's rule that a bad byte is one U+FFFD. */
#ifndef CPPROF_BASE_UTF8_H
#define CPPROF_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define UTF8_BAD 0xFFFDu

/* Decodes the character at text.data (text.length > 0) and stores how many bytes it takes (at least 1).
 * An overlong, surrogate, truncated or out-of-range sequence gives UTF8_BAD and 1. */
uint32_t utf8_decode(struct str text, size_t *ret_size);
/* Writes the character (valid scalar value) to `to` and returns how many bytes (1 to 4) that took. */
size_t utf8_encode(uint32_t character, char to[4]);
/* Number of characters, as Go's utf8.RuneCountInString. */
size_t utf8_count(struct str text);

#endif
