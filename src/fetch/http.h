/* http.h - one HTTP exchange, redirects included. Not here: what its answer means. */
#ifndef CPPROF_FETCH_HTTP_H
#define CPPROF_FETCH_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"
#include "fetch/fetch.h"
#include "fetch/url.h"

struct http_request {
	const struct url *url;
	bool is_post;
	struct str body;    /* of a POST */
	int64_t timeout_ns; /* for the whole exchange; 0 = none */
	const struct fetch_options *options;
};

struct http_answer {
	struct buffer body; /* its ceiling is the caller's; decompressed if it came with Content-Encoding: gzip */
	int status_code;
	char status_line[128]; /* "404 Not Found" */
	char content_type[128];
	bool is_go_pprof; /* has the header X-Go-Pprof */
};

/* Sends the request and follows redirects, ten requests at the most. The answer's status code is for the caller to
 * judge. A failure before the answer's header was there begins with `Get "URL": `, without password. The caller
 * releases answer->body in any case. */
enum status http_exchange(const struct http_request *request, struct http_answer *answer,
                          struct error *err) CPPROF_MUST_USE;

#endif
