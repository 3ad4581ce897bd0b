/* query.h - the small grammars inside a request: URLs, query strings, integers, host names. As Go's net/url and strconv read them.
 *
 * Pure: no memory, no system call, any thread.
 */
#ifndef CPPROF_RUNTIME_SERVE_QUERY_H
#define CPPROF_RUNTIME_SERVE_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct target {
	struct str authority; /* of the absolute form, http://HOST/PATH; empty otherwise */
	struct str path;      /* still escaped */
	struct str query;     /* without the '?' */
};

struct target target_split(struct str target);

enum decoded {
	DECODED,
	DECODED_TOO_LONG, /* for the buffer */
	DECODED_BAD,      /* a '%' without two hex digits */
};

/* Undoes %XX, and '+' where it means a blank, into `to`; a zero byte behind. *ret_length only when DECODED. */
enum decoded percent_decode(struct str text, bool plus_is_blank, char *to, size_t size, size_t *ret_length);

/* The first value of `key` as a C string: Go's FormValue. False, and "" in `to`: there is none, or it is too long for `to`. A pair
 * with a ';' or a bad escape in it counts as not there. */
bool query_value(struct str query, const char *key, char *to, size_t size);

/* Go's ParseInt(text, 10, 64): a sign and digits, nothing else. False: something else, or too large (then the value is the nearest). */
bool parse_integer(const char *text, int64_t *ret_value);
/* Go's ParseUint(text, 0, 64): 0x, 0o, 0b or 0 in front say the base. 0: no number. */
uint64_t parse_address(struct str text);

/* True for what a browser cannot have been made to take for us by a name server of somebody else's: IP addresses, "localhost", with or
 * without a port; and nothing at all. */
bool host_is_local(struct str host);

#endif
