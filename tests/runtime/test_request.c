/* The HTTP of libcpprof without sockets: requests in pieces, limits, what is refused; query strings; which request is which
 * endpoint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/serve/query.h"
#include "runtime/serve/request.h"
#include "runtime/serve/route.h"

#define HOST "Host: 127.0.0.1\r\n"

/* What the reader makes of the bytes when they arrive `step` at a time. */
struct outcome {
	enum request_progress progress;
	struct request request;
	size_t length; /* of the input, chunks joined */
	char *bytes;   /* exactly so many as arrived at the most: the sanitizer sees a step beyond */
};

static struct outcome read_steps(const char *text, size_t size, size_t step)
{
	struct outcome outcome = { .progress = REQUEST_MORE, .bytes = malloc(size ? size : 1) };
	size_t taken = 0;
	while (outcome.progress == REQUEST_MORE && taken < size) {
		size_t piece = step < size - taken ? step : size - taken;
		memcpy(outcome.bytes + outcome.length, text + taken, piece);
		taken += piece;
		outcome.length += piece;
		outcome.progress = request_read(&outcome.request, outcome.bytes, &outcome.length);
	}
	return outcome;
}

/* However it is cut, it is the same request. */
static struct outcome read_all(const char *text, size_t size)
{
	struct outcome whole = read_steps(text, size, size);
	for (size_t step = 1; step < 8; step += 3) {
		struct outcome cut = read_steps(text, size, step);
		assert_int_equal(cut.progress, whole.progress);
		assert_int_equal(cut.request.status, whole.request.status);
		assert_int_equal(cut.request.body_length, whole.request.body_length);
		assert_int_equal(cut.request.target.length, whole.request.target.length);
		free(cut.bytes);
	}
	return whole;
}

static void assert_refused(const char *text, int status)
{
	struct outcome outcome = read_all(text, strlen(text));
	if (outcome.progress != REQUEST_BAD || outcome.request.status != status)
		fail_msg("%s: progress %d, status %d", text, (int)outcome.progress, outcome.request.status);
	free(outcome.bytes);
}

static struct outcome assert_complete(const char *text)
{
	struct outcome outcome = read_all(text, strlen(text));
	if (outcome.progress != REQUEST_COMPLETE)
		fail_msg("%s: progress %d, status %d", text, (int)outcome.progress, outcome.request.status);
	return outcome;
}

static void assert_piece(const struct outcome *outcome, struct span piece, const char *expected)
{
	struct str text = request_piece(outcome->bytes, piece);
	assert_int_equal(text.length, strlen(expected));
	assert_memory_equal(text.data, expected, text.length);
}

static void assert_body(const char *text, const char *body)
{
	struct outcome outcome = assert_complete(text);
	assert_int_equal(outcome.request.body_length, strlen(body));
	assert_memory_equal(outcome.bytes + outcome.request.head_length, body, strlen(body));
	free(outcome.bytes);
}

static void reads_a_request(void **state)
{
	(void)state;
	struct outcome outcome =
			assert_complete("\r\nGET /debug/pprof/?a=b HTTP/1.1\r\nhOsT:  127.0.0.1:9 \r\nX: y\r\n\r\n");
	assert_piece(&outcome, outcome.request.target, "/debug/pprof/?a=b");
	assert_piece(&outcome, outcome.request.host, "127.0.0.1:9");
	assert_int_equal(outcome.request.method, METHOD_GET);
	assert_true(outcome.request.keep_alive);
	free(outcome.bytes);
	outcome = assert_complete("HEAD / HTTP/1.0\n\n"); /* typed by hand */
	assert_int_equal(outcome.request.method, METHOD_HEAD);
	assert_false(outcome.request.keep_alive);
	free(outcome.bytes);
}

static void keeps_the_connection_as_asked(void **state)
{
	static const struct {
		const char *text;
		bool keep_alive;
	} cases[] = {
		{ "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", false },
		{ "GET / HTTP/1.1\r\n" HOST "Connection: TE , Close\r\n\r\n", false },
		{ "GET / HTTP/1.1\r\n" HOST "Connection: keep-alive\r\n\r\n", true },
		{ "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true },
		{ "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct outcome outcome = assert_complete(cases[i].text);
		assert_int_equal(outcome.request.keep_alive, cases[i].keep_alive);
		free(outcome.bytes);
	}
}

static void reads_bodies(void **state)
{
	(void)state;
	assert_body("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n0x1+2GET", "0x1+2");
	assert_body("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n0x1+2", "0x1+2");
	assert_body("POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "");
	assert_body("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n"
	            "3\r\nabc\r\n00A;x=\"y\"\r\n0123456789\r\n1 \r\nz\r\n0\r\nTrailer: t\r\n\r\nGET /",
	            "abc0123456789z");
}

static void what_follows_is_the_next_request(void **state)
{
	static const char text[] = "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
							   "1\r\na\r\n1\r\nb\r\n0\r\n\r\nGET /second HTTP/1.0\r\n\r\n";
	(void)state;
	struct outcome outcome = assert_complete(text);
	struct request second = { 0 };
	size_t rest = outcome.length - outcome.request.next;
	assert_int_equal(request_read(&second, outcome.bytes + outcome.request.next, &rest), REQUEST_COMPLETE);
	assert_int_equal(second.target.length, strlen("/second"));
	free(outcome.bytes);
}

static void refuses_what_is_malformed(void **state)
{
	static const struct {
		const char *text;
		int status;
	} cases[] = {
		{ "\x16\x03\x01\x02\n\n", 400 }, /* TLS */
		{ "GET\r\n", 400 },
		{ "GET /\r\n", 400 }, /* HTTP/0.9 */
		{ "GET  / HTTP/1.1\r\n", 400 },
		{ "G@T / HTTP/1.1\r\n", 400 },
		{ "GET / x HTTP/1.1\r\n", 400 },
		{ "GET / HTTP/1.1 \r\n", 400 },
		{ "GET / HTTP/11\r\n", 400 },
		{ "PRI * HTTP/2.0\r\n", 505 },
		{ "GET / HTTP/1.1\r\n\r\n", 400 }, /* no Host */
		{ "GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400 },
		{ "GET / HTTP/1.1\r\n" HOST "X : y\r\n", 400 },
		{ "GET / HTTP/1.1\r\n" HOST "X: y\r\n z\r\n", 400 }, /* a folded line */
		{ "GET / HTTP/1.1\r\n" HOST "X: a\001b\r\n", 400 },
		{ "GET / HTTP/1.1\r\n" HOST "nothing\r\n", 400 },
		{ "POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n", 400 },
		{ "POST / HTTP/1.1\r\n" HOST "Content-Length: 1x\r\n", 400 },
		{ "POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n", 400 },
		{ "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 2\r\n", 400 },
		{ "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", 400 },
		{ "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", 400 },
		{ "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n", 400 },
		{ "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n", 501 },
		{ "POST / HTTP/1.1\r\n" HOST "Expect: a miracle\r\n", 417 },
		{ "POST / HTTP/1.1\r\n" HOST "Content-Length: 1048577\r\n\r\n", 413 },
		{ "POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999999999\r\n\r\n", 413 },
		{ "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nx\r\n", 400 },
		{ "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n\r\n", 400 },
		{ "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", 400 },
		{ "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", 413 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_refused(cases[i].text, cases[i].status);
	static const char zeros[] = "GET /\0 HTTP/1.1\r\n" HOST "\r\n";
	struct outcome outcome = read_all(zeros, sizeof(zeros) - 1);
	assert_int_equal(outcome.progress, REQUEST_BAD);
	free(outcome.bytes);
}

/* `count` times `piece` behind `start`. */
static char *repeat(const char *start, const char *piece, size_t count)
{
	size_t length = strlen(start), step = strlen(piece);
	char *text = malloc(length + count * step + 1);
	memcpy(text, start, length);
	for (size_t i = 0; i < count; i++)
		memcpy(text + length + i * step, piece, step);
	text[length + count * step] = '\0';
	return text;
}

static void limits_lines_heads_and_chunks(void **state)
{
	static const struct {
		const char *start, *piece;
		size_t count;
		int status;
	} cases[] = {
		{ "GET /", "x", REQUEST_LINE_MAX, 431 },
		{ "GET / HTTP/1.1\r\n" HOST, "Header: value\r\n", REQUEST_HEAD_MAX / 15, 431 },
		{ "GET / HTTP/1.1\r\n" HOST "X: ", "y", REQUEST_HEAD_MAX, 431 },
		{ "\n", "\n", REQUEST_LINE_MAX, 431 },
		{ "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n", "T: t\r\n", REQUEST_TRAILER_MAX / 6 + 1,
		  431 },
		{ "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1;", "x", REQUEST_CHUNK_LINE_MAX, 400 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *text = repeat(cases[i].start, cases[i].piece, cases[i].count);
		assert_refused(text, cases[i].status);
		free(text);
	}
}

/* A megabyte in chunks of one byte: the framing is six times as long, and takes no room. */
static void joins_small_chunks_in_place(void **state)
{
	static const char head[] = "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", chunk[] = "1\r\nx\r\n";
	(void)state;
	size_t room = sizeof(head) + REQUEST_BODY_MAX + 64, length = sizeof(head) - 1;
	char *bytes = malloc(room);
	struct request request = { 0 };
	memcpy(bytes, head, length);
	for (size_t i = 0; i < REQUEST_BODY_MAX; i++) {
		memcpy(bytes + length, chunk, sizeof(chunk) - 1);
		length += sizeof(chunk) - 1;
		assert_int_equal(request_read(&request, bytes, &length), REQUEST_MORE);
	}
	assert_int_equal(request.body_length, REQUEST_BODY_MAX);
	memcpy(bytes + length, chunk, sizeof(chunk) - 1);
	length += sizeof(chunk) - 1;
	assert_int_equal(request_read(&request, bytes, &length), REQUEST_BAD);
	assert_int_equal(request.status, 413);
	free(bytes);
}

static void splits_targets(void **state)
{
	(void)state;
	struct target target = target_split(str_of("http://[::1]:80/a/b?c?d"));
	assert_true(str_equal(target.authority, str_of("[::1]:80")));
	assert_true(str_equal(target.path, str_of("/a/b")));
	assert_true(str_equal(target.query, str_of("c?d")));
	target = target_split(str_of("/a//b://c"));
	assert_true(str_equal(target.path, str_of("/a//b://c")));
	target = target_split(str_of("*"));
	assert_true(str_equal(target.path, str_of("*")));
}

static void assert_value(const char *query, const char *expected)
{
	char value[16];
	bool found = query_value(str_of(query), "debug", value, sizeof(value));
	assert_int_equal(found, expected != NULL);
	assert_string_equal(value, expected ? expected : "");
}

static void finds_query_values_as_go_does(void **state)
{
	(void)state;
	assert_value("debug=1", "1");
	assert_value("a=b&debug=1&debug=2", "1");
	assert_value("%64ebug=%31", "1");
	assert_value("debug=%zz&debug=2", "2");
	assert_value("debug=1;a=b&debug=2", "2");
	assert_value("debug=+1", " 1");
	assert_value("debug", "");
	assert_value("debug=", "");
	assert_value("&&debuggy=1", NULL);
	assert_value("", NULL);
	assert_value("debug=0000000000000000000000000001", NULL);
	assert_value("debug=%", NULL);
	assert_value("debug=%4", NULL);
}

static void reads_integers_as_go_does(void **state)
{
	static const struct {
		const char *text;
		bool good;
		int64_t value;
	} cases[] = {
		{ "5", true, 5 },
		{ "+5", true, 5 },
		{ "-5", true, -5 },
		{ "007", true, 7 },
		{ "9223372036854775807", true, INT64_MAX },
		{ "9223372036854775808", false, INT64_MAX },
		{ "-9223372036854775808", true, INT64_MIN },
		{ "-99999999999999999999", false, INT64_MIN },
		{ "", false, 0 },
		{ "-", false, 0 },
		{ "1x", false, 0 },
		{ " 1", false, 0 },
		{ "1_0", false, 0 },
		{ "1.5", false, 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int64_t value;
		assert_int_equal(parse_integer(cases[i].text, &value), cases[i].good);
		assert_int_equal(value, cases[i].value);
	}
	assert_int_equal(parse_address(str_of("0x1F")), 0x1f);
	assert_int_equal(parse_address(str_of("0XdeadBEEF")), 0xdeadbeef);
	assert_int_equal(parse_address(str_of("4096")), 4096);
	assert_int_equal(parse_address(str_of("010")), 8);
	assert_int_equal(parse_address(str_of("0b11")), 3);
	assert_int_equal(parse_address(str_of("0x1ffffffffffffffff")), 0);
	assert_int_equal(parse_address(str_of("0x")), 0);
	assert_int_equal(parse_address(str_of("main")), 0);
}

static void knows_local_hosts(void **state)
{
	static const char *const local[] = { "",         "127.0.0.1",           "127.0.0.1:9527",
		                                 "10.1.2.3", "localhost",           "LocalHost:9527",
		                                 "[::1]",    "[fe80::1%25eth0]:80", "127.0.0.1:" };
	static const char *const foreign[] = {
		"evil.example", "127.0.0.1.evil.example", "localhost.evil", "1.2.3",  "1.2.3.4.5", "256.1.1.1", "1.2.3.4.",
		"0x7f.0.0.1",   "evil.example:9527",      "[evil",          "[evil]", "1..2.3"
	};
	(void)state;
	for (size_t i = 0; i < sizeof(local) / sizeof(*local); i++)
		if (!host_is_local(str_of(local[i])))
			fail_msg("%s is local", local[i]);
	for (size_t i = 0; i < sizeof(foreign) / sizeof(*foreign); i++)
		if (host_is_local(str_of(foreign[i])))
			fail_msg("%s is not local", foreign[i]);
}

static struct route route_of(const char *method, const char *target, const char *host, enum listener_kind listener)
{
	char text[1024];
	snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: %s\r\n\r\n", method, target, host);
	struct outcome outcome = assert_complete(text);
	struct route route;
	route_request(&outcome.request, outcome.bytes, listener, &route);
	free(outcome.bytes); /* only route.query points there */
	return route;
}

static void routes_by_path(void **state)
{
	static const struct {
		const char *target;
		enum route_kind kind;
	} cases[] = {
		{ "/debug/pprof", ROUTE_REDIRECT },
		{ "/debug/pprof/", ROUTE_INDEX },
		{ "/debug/pprof/?debug=1", ROUTE_INDEX },
		{ "/debug/pprof/cmdline", ROUTE_CMDLINE },
		{ "/debug/pprof/symbol?0x1", ROUTE_SYMBOL },
		{ "/debug/pprof/heap?gc=1", ROUTE_PROFILE },
		{ "/debug/%70prof/heap", ROUTE_PROFILE },
		{ "http://127.0.0.1/debug/pprof/heap", ROUTE_PROFILE },
		{ "/debug/pprof/threads", ROUTE_PROFILE },
		{ "/debug/pprof/block?debug=1", ROUTE_PROFILE },
		{ "/debug/pprof/mutex?seconds=5", ROUTE_PROFILE },
		{ "/debug/pprof/wait?current=1", ROUTE_PROFILE },
		{ "/debug/pprof/delta_heap", ROUTE_PROFILE },
		{ "/debug/pprof/profile", ROUTE_CPU },
		{ "/debug/pprof/profile/", ROUTE_ERROR },
		{ "/debug/pprof/delta_", ROUTE_ERROR },
		{ "/debug/pprof/delta_wait", ROUTE_ERROR },
		{ "/debug/pprof/trace", ROUTE_ERROR },
		{ "/debug/pprof/heap/", ROUTE_ERROR },
		{ "/debug/pprof/../../../etc/passwd", ROUTE_ERROR },
		{ "/debug/pprof/heap%00", ROUTE_ERROR },
		{ "/debug/pprof/%zz", ROUTE_ERROR },
		{ "/", ROUTE_ERROR },
		{ "*", ROUTE_ERROR },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (route_of("GET", cases[i].target, "127.0.0.1", LISTEN_LOOPBACK).kind != cases[i].kind)
			fail_msg("%s", cases[i].target);
}

static void assert_error(const char *method, const char *target, int status, const char *text, bool of_pprof)
{
	struct route route = route_of(method, target, "localhost", LISTEN_LOOPBACK);
	assert_int_equal(route.kind, ROUTE_ERROR);
	assert_int_equal(route.status, status);
	assert_string_equal(route.text, text);
	assert_int_equal(route.of_pprof, of_pprof);
}

static void checks_in_gos_order(void **state)
{
	static const char bad_seconds[] = "invalid value for \"seconds\" - must be a positive integer";
	(void)state;
	assert_error("GET", "/debug/pprof/nope?seconds=x", 404, "Unknown profile", true);
	assert_error("GET", "/debug/pprof/trace", 404, "Unknown profile", true);
	assert_error("GET", "/debug/pprof/heap?seconds=x&debug=1", 400, bad_seconds, true);
	assert_error("GET", "/debug/pprof/heap?seconds=0", 400, bad_seconds, true);
	assert_error("GET", "/debug/pprof/heap?seconds=-1", 400, bad_seconds, true);
	assert_error("GET", "/debug/pprof/heap?seconds=1.5", 400, bad_seconds, true);
	assert_error("HEAD", "/debug/pprof/heap?seconds=1&debug=1", 400, "seconds and debug params are incompatible", true);
	assert_error("GET", "/debug/pprof/heap?seconds=3601&debug=1", 400,
	             "profile duration exceeds the maximum of 3600 seconds", true);
	assert_error("GET", "/elsewhere", 404, "404 page not found", false);
	assert_error("DELETE", "/elsewhere", 404, "404 page not found", false);
	assert_error("POST", "/debug/pprof/heap", 405, "Method Not Allowed", false);
	assert_string_equal(route_of("PUT", "/debug/pprof/symbol", "localhost", LISTEN_LOOPBACK).allow, "GET, HEAD, POST");
	assert_string_equal(route_of("POST", "/debug/pprof/", "localhost", LISTEN_LOOPBACK).allow, "GET, HEAD");
	assert_int_equal(route_of("POST", "/debug/pprof/symbol", "localhost", LISTEN_LOOPBACK).kind, ROUTE_SYMBOL);
	struct route route = route_of("GET", "/debug/pprof/threads?seconds=3600&debug=abc", "localhost", LISTEN_LOOPBACK);
	assert_int_equal(route.seconds, 3600);
	assert_string_equal(route.profile->name, "threads");
	assert_int_equal(route_of("GET", "/debug/pprof/heap?debug=7&seconds=", "localhost", LISTEN_LOOPBACK).debug, 2);
}

static struct route route_on_loopback(const char *target)
{
	return route_of("GET", target, "localhost", LISTEN_LOOPBACK);
}

static void names_are_sorted(void **state)
{
	(void)state;
	for (const struct profile_name *profile = profile_names + 1; profile->name; profile++)
		assert_true(strcmp(profile[-1].name, profile->name) < 0);
	assert_null(profile_find(STR_LITERAL("profile")));
	assert_true(profile_find(STR_LITERAL("delta_mutex"))->since_last);
	assert_int_equal(profile_find(STR_LITERAL("delta_mutex"))->kind, PROFILE_MUTEX);
	assert_false(profile_find(STR_LITERAL("mutex"))->since_last);
}

static void waits_in_progress_are_of_block_and_wait(void **state)
{
	static const char unsupported[] = "\"current\" parameter is not supported for this profile type";
	(void)state;
	assert_true(route_on_loopback("/debug/pprof/block?current=1").current);
	assert_true(route_on_loopback("/debug/pprof/wait?current=1&debug=1").current);
	assert_false(route_on_loopback("/debug/pprof/wait?current=0").current);
	assert_false(route_on_loopback("/debug/pprof/mutex?current=x").current);
	assert_error("GET", "/debug/pprof/mutex?current=1", 400, unsupported, true);
	assert_error("GET", "/debug/pprof/delta_block?current=1", 400, unsupported, true);
	assert_error("GET", "/debug/pprof/heap?current=1&seconds=x", 400, unsupported, true);
	assert_error("GET", "/debug/pprof/block?current=1&seconds=1", 400, "seconds and current params are incompatible",
	             true);
}

static void what_is_new_takes_no_time(void **state)
{
	(void)state;
	assert_int_equal(route_on_loopback("/debug/pprof/delta_heap?debug=1&gc=1").debug, 0);
	assert_error("GET", "/debug/pprof/delta_heap?seconds=5", 400,
	             "\"seconds\" parameter is not supported for this profile type", true);
}

static void cpu_profiles_fall_back_as_gos(void **state)
{
	static const char *const defaults[] = {
		"",        "seconds=", "seconds=abc", "seconds=0", "seconds=-3", "seconds=1.5", "seconds=99999999999999999999",
		"debug=1", "hz=",      "labels="
	};
	char target[128];
	(void)state;
	for (size_t i = 0; i < sizeof(defaults) / sizeof(*defaults); i++) {
		snprintf(target, sizeof(target), "/debug/pprof/profile?%s", defaults[i]);
		struct route route = route_on_loopback(target);
		if (route.kind != ROUTE_CPU || route.seconds != 30 || route.hz != 100 || route.by_thread || route.debug)
			fail_msg("%s", target);
	}
	struct route route = route_on_loopback("/debug/pprof/profile?seconds=3600&hz=1000&labels=thread");
	assert_int_equal(route.seconds, 3600);
	assert_int_equal(route.hz, 1000);
	assert_true(route.by_thread);
}

static void cpu_profiles_refuse_what_is_ours_and_wrong(void **state)
{
	static const char bad_rate[] = "invalid value for \"hz\" - must be an integer from 1 to 1000";
	static const char *const rates[] = { "0", "-1", "1001", "x", "1e3", "99999999999999999999" };
	char target[128];
	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
		snprintf(target, sizeof(target), "/debug/pprof/profile?hz=%s", rates[i]);
		assert_error("GET", target, 400, bad_rate, true);
	}
	assert_error("HEAD", "/debug/pprof/profile?hz=0", 400, bad_rate, true);
	assert_error("GET", "/debug/pprof/profile?labels=all", 400, "invalid value for \"labels\" - must be thread", true);
	assert_error("GET", "/debug/pprof/profile?seconds=3601&hz=0", 400,
	             "profile duration exceeds the maximum of 3600 seconds", true);
	assert_error("POST", "/debug/pprof/profile", 405, "Method Not Allowed", false);
}

static void checks_the_host_on_loopback_only(void **state)
{
	(void)state;
	assert_int_equal(route_of("GET", "/debug/pprof/heap", "evil.example", LISTEN_LOOPBACK).status, 403);
	assert_int_equal(route_of("GET", "http://evil.example/debug/pprof/heap", "127.0.0.1", LISTEN_LOOPBACK).status, 403);
	assert_int_equal(route_of("GET", "/debug/pprof/heap", "db7.example", LISTEN_OPEN).kind, ROUTE_PROFILE);
	assert_int_equal(route_of("GET", "/debug/pprof/heap", "unix", LISTEN_LOCAL).kind, ROUTE_PROFILE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_request),
		cmocka_unit_test(keeps_the_connection_as_asked),
		cmocka_unit_test(reads_bodies),
		cmocka_unit_test(what_follows_is_the_next_request),
		cmocka_unit_test(refuses_what_is_malformed),
		cmocka_unit_test(limits_lines_heads_and_chunks),
		cmocka_unit_test(joins_small_chunks_in_place),
		cmocka_unit_test(splits_targets),
		cmocka_unit_test(finds_query_values_as_go_does),
		cmocka_unit_test(reads_integers_as_go_does),
		cmocka_unit_test(knows_local_hosts),
		cmocka_unit_test(routes_by_path),
		cmocka_unit_test(checks_in_gos_order),
		cmocka_unit_test(names_are_sorted),
		cmocka_unit_test(waits_in_progress_are_of_block_and_wait),
		cmocka_unit_test(what_is_new_takes_no_time),
		cmocka_unit_test(cpu_profiles_fall_back_as_gos),
		cmocka_unit_test(cpu_profiles_refuse_what_is_ours_and_wrong),
		cmocka_unit_test(checks_the_host_on_loopback_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
