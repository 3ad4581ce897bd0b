/* request.h - one HTTP/1.x request, read from bytes that arrive in pieces: request line, header, body (RFC 9112).
 *
 * Not here: sockets, and what the request asks for (route.h). Pure: no memory, no system call, any thread.
 */
#ifndef CPPROF_RUNTIME_SERVE_REQUEST_H
#define CPPROF_RUNTIME_SERVE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define REQUEST_LINE_MAX ((size_t)8 * 1024)
#define REQUEST_HEAD_MAX ((size_t)32 * 1024)
#define REQUEST_BODY_MAX ((size_t)1024 * 1024)
/* A chunk's size line with its extensions; all trailers together. */
#define REQUEST_CHUNK_LINE_MAX ((size_t)256)
#define REQUEST_TRAILER_MAX ((size_t)8 * 1024)

enum request_method {
	METHOD_OTHER,
	METHOD_GET,
	METHOD_HEAD,
	METHOD_POST,
};

enum request_progress {
	REQUEST_MORE,     /* not all there yet */
	REQUEST_COMPLETE, /* head and body are there */
	REQUEST_BAD,      /* to be answered with `status` and `problem`; the connection cannot go on */
};

enum request_stage {
	STAGE_HEAD,
	STAGE_PLAIN_BODY,
	STAGE_CHUNK_SIZE,
	STAGE_CHUNK_DATA,
	STAGE_CHUNK_END,
	STAGE_TRAILER,
	STAGE_DONE,
};

/* A piece of the input, by its place: the input may move in memory while it grows. */
struct span {
	uint32_t start, length;
};

/* All zero: nothing read yet. */
struct request {
	enum request_stage stage;
	enum request_method method;
	struct span target, host;
	bool has_host;
	int minor_version;    /* of HTTP/1 */
	bool keep_alive;      /* the client would go on with this connection */
	bool expect_continue; /* it waits for "100 Continue" before it sends the body */
	bool has_body;
	size_t head_length; /* the body starts here */
	size_t body_length; /* as far as it is there, chunks joined */
	size_t next;        /* first byte of the input not looked at; at the end, of the next request */

	int status;          /* REQUEST_BAD */
	const char *problem; /* static text; NULL = the status says it all */

	size_t line_start; /* of the head's last line so far */
	size_t remaining;  /* bytes of the body, or of the chunk */
	size_t trailer_length;
};

/* Reads on. `bytes` is all that arrived since the start of the request, *length of them, what was there before at the same places.
 * Chunks are joined in place, which makes *length smaller. */
enum request_progress request_read(struct request *request, char *bytes, size_t *length);

/* True if the head is there and a body is still to come. */
bool request_wants_body(const struct request *request);

static inline struct str request_piece(const char *bytes, struct span piece)
{
	return (struct str){ bytes + piece.start, piece.length };
}

#endif
