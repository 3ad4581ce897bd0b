/* fuzz_http_request.c - any bytes as a client's: several requests, one behind the other. However the bytes are cut, it must be the
 * same requests; what is complete must lead to an endpoint or an error, and all views must lie in the input. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/serve/query.h"
#include "runtime/serve/request.h"
#include "runtime/serve/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUESTS_MAX 16

/* What must not depend on the cuts. */
struct seen {
	enum request_progress progress;
	int status;
	enum request_method method;
	size_t target_length, body_length;
	uint32_t body_sum;
	bool keep_alive;
	enum route_kind kind;
	int route_status, debug, seconds, hz;
	bool current, by_thread;
};

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void look_at(const struct request *request, const char *bytes, size_t length, struct seen *seen)
{
	struct route route;
	require(request->next <= length && request->head_length + request->body_length <= request->next);
	require(request->target.start + request->target.length <= request->head_length);
	require(request->host.start + request->host.length <= request->head_length);
	require(request->body_length <= REQUEST_BODY_MAX && request->head_length <= REQUEST_HEAD_MAX);
	seen->body_length = request->body_length;
	for (size_t i = 0; i < request->body_length; i++)
		seen->body_sum = seen->body_sum * 31 + (uint8_t)bytes[request->head_length + i];
	seen->keep_alive = request->keep_alive;
	route_request(request, bytes, LISTEN_LOOPBACK, &route);
	seen->kind = route.kind;
	seen->route_status = route.status;
	seen->debug = route.debug;
	seen->seconds = route.seconds;
	seen->hz = route.hz;
	seen->current = route.current;
	seen->by_thread = route.by_thread;
	require(route.kind != ROUTE_ERROR || (route.status >= 400 && route.status < 600));
	require(route.seconds >= 0 && route.seconds <= ROUTE_SECONDS_MAX);
	require(route.kind != ROUTE_CPU || (route.seconds > 0 && route.hz >= 1 && route.hz <= 1000));
	require(route.kind != ROUTE_PROFILE || (route.profile && !(route.current && route.seconds)));
	parse_address((struct str){ bytes + request->head_length, request->body_length });
}

/* The requests in the bytes, which come `step` at a time. */
static uint32_t read_requests(const uint8_t *data, size_t size, size_t step, struct seen *ret_seen)
{
	char *bytes = malloc(size ? size : 1);
	size_t length = 0, taken = 0;
	struct request request = { 0 };
	uint32_t count = 0;
	require(bytes);
	while (count < REQUESTS_MAX && (taken < size || length)) {
		size_t piece = size - taken < step ? size - taken : step;
		if (piece)
			memcpy(bytes + length, data + taken, piece);
		taken += piece;
		length += piece;
		enum request_progress progress = request_read(&request, bytes, &length);
		if (progress == REQUEST_MORE && taken < size)
			continue;
		struct seen *seen = &ret_seen[count++];
		*seen = (struct seen){ .progress = progress, .status = request.status, .method = request.method };
		seen->target_length = request.target.length;
		if (progress != REQUEST_COMPLETE)
			break;
		look_at(&request, bytes, length, seen);
		length -= request.next;
		memmove(bytes, bytes + request.next, length);
		request = (struct request){ 0 };
	}
	free(bytes);
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct seen whole[REQUESTS_MAX], cut[REQUESTS_MAX];
	if (size == 0)
		return 0;
	size_t step = data[0] % 32 + 1;
	uint32_t count = read_requests(data + 1, size - 1, size, whole);
	require(read_requests(data + 1, size - 1, step, cut) == count);
	for (uint32_t i = 0; i < count; i++) {
		require(whole[i].progress == cut[i].progress && whole[i].status == cut[i].status);
		require(whole[i].method == cut[i].method && whole[i].target_length == cut[i].target_length);
		require(whole[i].body_length == cut[i].body_length && whole[i].body_sum == cut[i].body_sum);
		require(whole[i].keep_alive == cut[i].keep_alive && whole[i].kind == cut[i].kind);
		require(whole[i].route_status == cut[i].route_status && whole[i].debug == cut[i].debug);
		require(whole[i].seconds == cut[i].seconds && whole[i].hz == cut[i].hz);
		require(whole[i].current == cut[i].current && whole[i].by_thread == cut[i].by_thread);
	}
	return 0;
}
