/* route.c - from a request to an endpoint, by Go's rules. */
#include "runtime/serve/route.h"

#include <string.h>

#include "runtime/collect/cpu.h"
#include "runtime/serve/query.h"

#define ROOT "/debug/pprof/"

#define INVALID_SECONDS "invalid value for \"seconds\" - must be a positive integer"
#define TOO_LONG "profile duration exceeds the maximum of 3600 seconds"
#define CPU_SECONDS 30

const struct profile_name profile_names[] = {
	{ "allocs", PROFILE_ALLOCS, false },
	{ "block", PROFILE_BLOCK, false },
	{ DELTA_PREFIX "block", PROFILE_BLOCK, true },
	{ DELTA_PREFIX "heap", PROFILE_HEAP, true },
	{ DELTA_PREFIX "mutex", PROFILE_MUTEX, true },
	{ "goroutine", PROFILE_GOROUTINE, false },
	{ "heap", PROFILE_HEAP, false },
	{ "mutex", PROFILE_MUTEX, false },
	{ "threadcreate", PROFILE_THREADCREATE, false },
	{ "threads", PROFILE_GOROUTINE, false },
	{ "wait", PROFILE_WAIT, false },
	{ NULL, PROFILE_ALLOCS, false },
};

const struct profile_name *profile_find(struct str name)
{
	for (const struct profile_name *profile = profile_names; profile->name; profile++)
		if (str_equal(name, str_of(profile->name)))
			return profile;
	return NULL;
}

static void route_error(struct route *route, int status, const char *text, bool of_pprof)
{
	route->kind = ROUTE_ERROR;
	route->status = status;
	route->text = text;
	route->of_pprof = of_pprof;
}

/* As Go reads `debug` and `gc`: what is no number counts as 0. */
static int64_t number_of(const struct route *route, const char *key)
{
	char text[64];
	int64_t number = 0;
	if (query_value(route->query, key, text, sizeof(text)))
		parse_integer(text, &number);
	return number;
}

/* Go's order: seconds, then whether the profile can do it, then the maximum, then debug. */
static void route_delta(struct route *route, const char *seconds_text, int64_t debug)
{
	int64_t seconds;
	if (!parse_integer(seconds_text, &seconds) || seconds <= 0)
		route_error(route, 400, INVALID_SECONDS, true);
	else if (route->profile->since_last)
		route_error(route, 400, "\"seconds\" parameter is not supported for this profile type", true);
	else if (seconds > ROUTE_SECONDS_MAX)
		route_error(route, 400, TOO_LONG, true);
	else if (debug != 0)
		route_error(route, 400, "seconds and debug params are incompatible", true);
	else if (route->current)
		route_error(route, 400, "seconds and current params are incompatible", true);
	else
		route->seconds = (int)seconds;
}

static void route_profile(struct route *route, struct str name)
{
	char text[64];
	route->profile = profile_find(name);
	if (!route->profile) {
		route_error(route, 404, "Unknown profile", true);
		return;
	}
	enum profile_kind kind = route->profile->kind;
	bool has_current = (kind == PROFILE_BLOCK || kind == PROFILE_WAIT) && !route->profile->since_last;
	int64_t debug = number_of(route, "debug");
	route->kind = ROUTE_PROFILE;
	/* godeltaprof has no text; the text of the others has what `current` asks for. */
	route->debug = route->profile->since_last ? 0 : debug >= 2 ? 2 : debug != 0;
	route->current = number_of(route, "current") != 0;
	query_value(route->query, "seconds", text, sizeof(text));
	if (route->current && !has_current)
		route_error(route, 400, "\"current\" parameter is not supported for this profile type", true);
	else if (*text)
		route_delta(route, text, debug);
}

/* The CPU profile. As in Go, wrong seconds mean the default; `debug` means nothing. The others are ours. */
static void route_cpu(struct route *route)
{
	char text[64];
	int64_t seconds, hz;
	route->kind = ROUTE_CPU;
	query_value(route->query, "seconds", text, sizeof(text));
	if (!parse_integer(text, &seconds) || seconds <= 0)
		seconds = CPU_SECONDS;
	if (seconds > ROUTE_SECONDS_MAX) {
		route_error(route, 400, TOO_LONG, true);
		return;
	}
	route->seconds = (int)seconds;
	route->hz = CPU_HZ;
	query_value(route->query, "hz", text, sizeof(text));
	if (*text && (!parse_integer(text, &hz) || hz < 1 || hz > CPU_HZ_MAX)) {
		route_error(route, 400, "invalid value for \"hz\" - must be an integer from 1 to 1000", true);
		return;
	}
	if (*text)
		route->hz = (int)hz;
	query_value(route->query, "labels", text, sizeof(text));
	route->by_thread = strcmp(text, "thread") == 0;
	if (*text && !route->by_thread)
		route_error(route, 400, "invalid value for \"labels\" - must be thread", true);
}

/* `path` is what follows /debug/pprof/. */
static void route_endpoint(struct route *route, struct str path)
{
	if (path.length == 0)
		route->kind = ROUTE_INDEX;
	else if (str_equal(path, STR_LITERAL("cmdline")))
		route->kind = ROUTE_CMDLINE;
	else if (str_equal(path, STR_LITERAL("symbol")))
		route->kind = ROUTE_SYMBOL;
	else if (str_equal(path, STR_LITERAL("profile")))
		route_cpu(route);
	else
		route_profile(route, path);
}

static bool method_is_allowed(struct route *route, enum request_method method)
{
	if (method == METHOD_GET || method == METHOD_HEAD || (method == METHOD_POST && route->kind == ROUTE_SYMBOL))
		return true;
	/* An unknown name takes no method at all: it stays a 404. */
	if (route->kind == ROUTE_ERROR && route->status == 404)
		return true;
	route->allow = route->kind == ROUTE_SYMBOL ? "GET, HEAD, POST" : "GET, HEAD";
	return false;
}

static void route_path(struct route *route, struct str escaped)
{
	char decoded[512];
	size_t length = 0;
	enum decoded result = percent_decode(escaped, false, decoded, sizeof(decoded), &length);
	struct str path = { decoded, result == DECODED ? length : 0 }, root = STR_LITERAL(ROOT);
	if (result == DECODED_BAD)
		route_error(route, 400, NULL, false);
	else if (str_starts_with(path, root))
		route_endpoint(route, str_from(path, root.length));
	else if (str_equal(path, (struct str){ root.data, root.length - 1 }))
		route->kind = ROUTE_REDIRECT;
	else
		route_error(route, 404, "404 page not found", false);
}

void route_request(const struct request *request, const char *bytes, enum listener_kind listener,
                   struct route *ret_route)
{
	struct target target = target_split(request_piece(bytes, request->target));
	struct str host = target.authority.length ? target.authority : request_piece(bytes, request->host);
	*ret_route = (struct route){ .head = request->method == METHOD_HEAD, .query = target.query };
	if (listener == LISTEN_LOOPBACK && !host_is_local(host)) {
		/* A web page may have its own name point to 127.0.0.1, and so read us through its visitor's browser. */
		route_error(ret_route, 403, "this address answers only to \"localhost\" and to IP addresses in the Host header",
		            true);
		return;
	}
	route_path(ret_route, target.path);
	if (!method_is_allowed(ret_route, request->method))
		route_error(ret_route, 405, "Method Not Allowed", false);
}

void route_bad_request(const struct request *request, struct route *ret_route)
{
	*ret_route = (struct route){ .head = request->method == METHOD_HEAD };
	route_error(ret_route, request->status, NULL, false);
	ret_route->detail = request->problem;
}
