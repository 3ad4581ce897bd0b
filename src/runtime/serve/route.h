/* route.h - what a request asks for: which endpoint, with which parameters, or which error. Nothing is collected here.
 *
 * The paths, parameters, checks, their order and the texts are those of Go's net/http/pprof, and of its mux for what lies outside
 * of /debug/pprof/; docs/http.md lists them. Pure: any thread.
 */
#ifndef CPPROF_RUNTIME_SERVE_ROUTE_H
#define CPPROF_RUNTIME_SERVE_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/serve/request.h"
#include "runtime/serve/server.h"

/* The longest ?seconds=N. */
#define ROUTE_SECONDS_MAX 3600

enum route_kind {
	ROUTE_ERROR,
	ROUTE_REDIRECT, /* to /debug/pprof/, with the query */
	ROUTE_INDEX,
	ROUTE_CMDLINE,
	ROUTE_SYMBOL,
	ROUTE_PROFILE,
	ROUTE_CPU, /* /debug/pprof/profile */
};

enum profile_kind {
	PROFILE_ALLOCS,
	PROFILE_BLOCK,
	PROFILE_GOROUTINE,
	PROFILE_HEAP,
	PROFILE_MUTEX,
	PROFILE_THREADCREATE,
	PROFILE_WAIT,
};

/* In front of the names of those that tell what is new. */
#define DELTA_PREFIX "delta_"

struct profile_name {
	const char *name;
	enum profile_kind kind;
	bool since_last; /* what was added since it was last asked for (delta.h) */
};

/* All names of profiles, sorted, without the CPU's, which takes its time; NULL ends. "threads" is another name of goroutine. */
extern const struct profile_name profile_names[];
const struct profile_name *profile_find(struct str name);

struct route {
	enum route_kind kind;
	bool head; /* HEAD: to be answered without a body, at once */

	/* ROUTE_ERROR */
	int status;
	const char *text;   /* static; NULL = the status says it all */
	bool of_pprof;      /* X-Go-Pprof: 1; tools show the text */
	const char *allow;  /* 405: the methods */
	const char *detail; /* static: what comes behind the text, or behind the status's reason; or NULL */

	struct str query; /* in the request's bytes */

	/* ROUTE_PROFILE */
	const struct profile_name *profile;
	int debug;    /* 0, 1, 2 */
	bool current; /* block, wait: the waits in progress instead of those that have ended */

	/* ROUTE_PROFILE: 0 = now, else the difference over so long. ROUTE_CPU: how long. */
	int seconds;

	/* ROUTE_CPU */
	int hz;
	bool by_thread;
};

/* For a complete request whose bytes start at `bytes`. */
void route_request(const struct request *request, const char *bytes, enum listener_kind listener,
                   struct route *ret_route);
/* For a bad one: the error that request_read found. */
void route_bad_request(const struct request *request, struct route *ret_route);

#endif
