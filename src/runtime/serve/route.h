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
};

enum profile_kind {
	PROFILE_ALLOCS,
	PROFILE_GOROUTINE,
	PROFILE_HEAP,
	PROFILE_THREADCREATE,
};

struct profile_name {
	const char *name;
	enum profile_kind kind;
};

/* All names of profiles, sorted; NULL ends. "threads" is another name of goroutine. */
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
	const char *detail; /* static: with no text, what comes behind the reason; or NULL */

	struct str query; /* in the request's bytes */

	/* ROUTE_PROFILE */
	const struct profile_name *profile;
	int debug;   /* 0, 1, 2 */
	int seconds; /* 0 = now; else the difference over so long */
};

/* For a complete request whose bytes start at `bytes`. */
void route_request(const struct request *request, const char *bytes, enum listener_kind listener,
                   struct route *ret_route);
/* For a bad one: the error that request_read found. */
void route_bad_request(const struct request *request, struct route *ret_route);

#endif
