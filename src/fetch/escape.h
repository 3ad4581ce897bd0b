/* escape.h - percent-encoding in the parts of a URL, by Go's rules. */
#ifndef CPPROF_FETCH_ESCAPE_H
#define CPPROF_FETCH_ESCAPE_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/str.h"

enum url_part { URL_PATH, URL_USER, URL_HOST, URL_ZONE, URL_QUERY, URL_FRAGMENT };

/* Appends the text with %XX for what may not stand there (in a query, '+' for a blank). */
void url_escape(struct str text, enum url_part part, struct buffer *to);
/* Appends the text decoded; false, with *to as it was, for a bad escape or a character that the part may not have. */
bool url_unescape(struct str text, enum url_part part, struct buffer *to);
/* True if the path or fragment may be sent as it stands. */
bool url_valid_encoded(struct str text, enum url_part part);

#endif
