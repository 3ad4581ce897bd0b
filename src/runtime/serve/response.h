/* response.h - status lines and headers of answers, as Go's server writes them. Inside work_run.
 */
#ifndef CPPROF_RUNTIME_SERVE_RESPONSE_H
#define CPPROF_RUNTIME_SERVE_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

struct response {
	int status;
	int minor_version; /* of the request: it is answered with the same */
	bool close;        /* the connection ends with this answer */
	const char *content_type;
	const char *attachment;        /* Content-Disposition: the file's name; or NULL */
	const char *attachment_suffix; /* behind the name */
	const char *allow;             /* or NULL */
	const char *location;          /* or NULL */
	bool nosniff, of_pprof;
	int64_t length; /* of the body; -1 = not said */
};

/* "Not Found"; "" for a status that we do not use. */
const char *response_reason(int status);
/* Everything up to the body. */
void response_head(const struct response *response, struct buffer *to);
/* "Wed, 25 Nov 2026 06:07:23 GMT": RFC 9110, 5.6.7. Seconds since 1970, 0 or more. */
void response_date(int64_t seconds, struct buffer *to);

#endif
