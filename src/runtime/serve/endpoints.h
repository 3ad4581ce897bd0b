/* endpoints.h - the endpoints of /debug/pprof/: from a route to the whole answer, head and body, in one block.
 *
 * Our own thread, or a caller of the API; each call is one piece of work (region.h).
 */
#ifndef CPPROF_RUNTIME_SERVE_ENDPOINTS_H
#define CPPROF_RUNTIME_SERVE_ENDPOINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "runtime/collect/cpu.h"
#include "runtime/serve/route.h"
#include "runtime/serve/snapshot.h"

/* What an answer depends on. */
struct exchange {
	struct route route;
	struct str body;               /* of the request */
	int minor_version;             /* of the request */
	bool close;                    /* the connection is to end */
	const struct snapshot *before; /* a difference: the earlier half; else NULL */
	const struct cpu_session *cpu; /* ROUTE_CPU: has ended; NULL for HEAD */
};

/* Bytes to be sent; in pages of ours, or static text. */
struct reply {
	const char *bytes;
	size_t length;
	size_t mapped; /* 0: static */
	bool close;    /* the connection must end with it */
};

/* Never fails: where an answer cannot be made, that is the answer. */
void endpoint_reply(const struct exchange *exchange, struct reply *ret_reply);
void reply_release(struct reply *reply);

/* The earlier half of the difference that the route asks for. False: it failed. */
bool endpoint_snapshot(const struct route *route, struct snapshot *ret_snapshot);

/* The body alone of what is asked for, a ROUTE_PROFILE or a ROUTE_CPU: for the API. False: it failed. */
bool endpoint_body(const struct exchange *exchange, struct reply *ret_reply);

/* Requests answered so far, in this process. */
uint64_t endpoint_requests(void);

#endif
