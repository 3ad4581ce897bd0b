/* endpoints.c - one function for each endpoint; the work around them: region, size, errors. */
#include "runtime/serve/endpoints.h"

#include <stdatomic.h>
#include <string.h>

#include "base/buffer.h"
#include "runtime/collect/collect.h"
#include "runtime/collect/proc_task.h"
#include "runtime/collect/names.h"
#include "runtime/collect/render.h"
#include "runtime/collect/text.h"
#include "runtime/serve/delta.h"
#include "runtime/serve/index.h"
#include "runtime/serve/query.h"
#include "runtime/serve/response.h"
#include "runtime/shared/pages.h"
#include "runtime/shared/process.h"
#include "runtime/shared/region.h"
#include "runtime/shared/sys.h"

/* Of one answer. Go's own stack dump ends at 64 MiB, too. */
#define BODY_MAX ((size_t)64 * 1024 * 1024)
#define HEAD_MAX ((size_t)16 * 1024)

#define TEXT_PLAIN "text/plain; charset=utf-8"
#define TEXT_HTML "text/html; charset=utf-8"
#define COLLECT_FAILED "failed to collect profile"
#define DELTA_FAILED "failed to compute delta"

static _Atomic uint64_t requests;
static _Atomic int requests_pid; /* whose they are: a fork child starts from 0 */

static void count_request(void)
{
	if (atomic_exchange_explicit(&requests_pid, process.pid, memory_order_relaxed) != process.pid)
		atomic_store_explicit(&requests, 0, memory_order_relaxed);
	atomic_fetch_add_explicit(&requests, 1, memory_order_relaxed);
}

uint64_t endpoint_requests(void)
{
	return atomic_load_explicit(&requests, memory_order_relaxed);
}

/* --- profiles ------------------------------------------------------------------------------------------------------- */

static enum contention_kind contention_of(enum profile_kind kind)
{
	return kind == PROFILE_MUTEX ? CONTENTION_MUTEX : kind == PROFILE_BLOCK ? CONTENTION_BLOCK : CONTENTION_WAIT;
}

static void collect(enum profile_kind kind, struct table *ret_table)
{
	switch (kind) {
	case PROFILE_ALLOCS:
	case PROFILE_HEAP:
		collect_heap(kind == PROFILE_ALLOCS, ret_table);
		break;
	case PROFILE_BLOCK:
	case PROFILE_MUTEX:
	case PROFILE_WAIT:
		collect_contention(contention_of(kind), ret_table);
		break;
	case PROFILE_GOROUTINE:
		collect_goroutine(ret_table);
		break;
	case PROFILE_THREADCREATE:
		collect_threadcreate(ret_table);
		break;
	}
}

/* What is more than a table, or another one. */
static void write_text(enum profile_kind kind, int debug, struct buffer *to)
{
	struct table table, waiting;
	struct thread_dump dump;
	switch (kind) {
	case PROFILE_BLOCK:
	case PROFILE_WAIT:
		collect(kind, &table);
		collect_waiting(contention_of(kind), &waiting);
		render_contention(&table, &waiting, to);
		return;
	case PROFILE_MUTEX:
		collect(kind, &table);
		render_contention(&table, NULL, to);
		return;
	case PROFILE_GOROUTINE:
		if (debug >= 2) {
			collect_threads(&dump);
			render_threads(&dump, to);
			return;
		}
		break;
	case PROFILE_ALLOCS:
	case PROFILE_HEAP:
	case PROFILE_THREADCREATE:
		break;
	}
	collect(kind, &table);
	render_text(&table, to);
}

static bool write_difference(enum profile_kind kind, const struct snapshot *before, struct buffer *to)
{
	struct table table, earlier;
	collect(kind, &table);
	snapshot_restore(before, &earlier);
	snapshot_set_names_aside(&table);
	table_subtract(&table, &earlier);
	snapshot_put_names_back(&table);
	table.duration_ns = (int64_t)(monotonic_ns() - before->taken_ns);
	return render_profile(&table, to);
}

static bool write_since_last(enum profile_kind kind, struct buffer *to)
{
	struct table table;
	struct delta delta;
	collect(kind, &table);
	delta_subtract(kind, &table, &delta);
	return render_profile(&table, to) && !to->overflow && delta_keep(&delta);
}

static bool write_cpu(const struct exchange *exchange, struct buffer *to)
{
	struct table table;
	collect_cpu(exchange->cpu, &table);
	return render_profile(&table, to);
}

static bool write_table(const struct route *route, struct buffer *to)
{
	struct table table;
	if (route->current)
		collect_waiting(contention_of(route->profile->kind), &table);
	else
		collect(route->profile->kind, &table);
	return render_profile(&table, to);
}

/* False: it failed. */
static bool write_body(const struct exchange *exchange, struct buffer *to)
{
	const struct route *route = &exchange->route;
	bool done = true;
	if (route->kind == ROUTE_CPU)
		done = write_cpu(exchange, to);
	else if (route->profile->since_last)
		done = write_since_last(route->profile->kind, to);
	else if (exchange->before)
		done = write_difference(route->profile->kind, exchange->before, to);
	else if (route->debug)
		write_text(route->profile->kind, route->debug, to);
	else
		done = write_table(route, to);
	return done && !to->overflow;
}

struct snapshot_work {
	enum profile_kind kind;
	struct snapshot *snapshot;
	bool done;
};

/* work_run; work that was given up for lack of memory may have left descriptors open. */
static bool run(void (*work)(void *arg), void *arg)
{
	if (work_run(work, arg))
		return true;
	proc_tasks_close();
	return false;
}

static void take_snapshot(void *arg)
{
	struct snapshot_work *work = arg;
	struct table table;
	collect(work->kind, &table);
	snapshot_set_names_aside(&table);
	work->done = snapshot_take(&table, work->snapshot);
}

bool endpoint_snapshot(const struct route *route, struct snapshot *ret_snapshot)
{
	struct snapshot_work work = { route->profile->kind, ret_snapshot, false };
	return run(take_snapshot, &work) && work.done;
}

/* --- the others ----------------------------------------------------------------------------------------------------- */

/* One "0xADDRESS NAME" for each address that has a name, in order: what pprof asks for when a profile came without names. */
static void write_symbols(struct str list, struct buffer *to)
{
	size_t count = 0, limit = 1;
	for (size_t i = 0; i < list.length; i++)
		limit += list.data[i] == '+';
	uintptr_t *addresses = work_alloc_array(limit, sizeof(*addresses));
	while (list.length) {
		const char *plus = memchr(list.data, '+', list.length);
		size_t length = plus ? (size_t)(plus - list.data) : list.length, digits = length;
		while (digits && (list.data[digits - 1] == '\n' || list.data[digits - 1] == '\r'))
			digits--;
		uintptr_t address = parse_address((struct str){ list.data, digits });
		if (address)
			addresses[count++] = address;
		list = str_from(list, plus ? length + 1 : length);
	}
	buffer_append_text(to, "num_symbols: 1\n");
	if (count == 0)
		return;
	struct module_list modules;
	modules_read(&modules);
	struct name *names = work_alloc_array(count, sizeof(*names));
	names_find(&modules, addresses, count, true, names);
	for (size_t i = 0; i < count; i++)
		if (names[i].line_count)
			buffer_printf(to, "0x%lx %s\n", addresses[i], text_valid(names[i].lines[0].function));
}

static void write_redirect(const char *location, struct buffer *to)
{
	buffer_append_text(to, "<a href=\"");
	html_escape(str_of(location), to);
	buffer_append_text(to, "\">Moved Permanently</a>.\n\n");
}

/* --- one answer ----------------------------------------------------------------------------------------------------- */

struct reply_work {
	const struct exchange *exchange;
	struct reply *reply;
	bool done;
};

static void fill_error(const struct route *route, struct response *response, struct buffer *body)
{
	response->status = route->status;
	response->content_type = TEXT_PLAIN;
	response->nosniff = route->text != NULL;
	response->of_pprof = route->of_pprof;
	response->allow = route->allow;
	if (route->text)
		buffer_printf(body, "%s%s%s\n", route->text, route->detail ? ": " : "", route->detail ? route->detail : "");
	else
		buffer_printf(body, "%d %s%s%s\n", route->status, response_reason(route->status), route->detail ? ": " : "",
		              route->detail ? route->detail : "");
}

static const char *redirect_location(const struct route *route)
{
	struct buffer location;
	buffer_init(&location, HEAD_MAX);
	buffer_append_text(&location, "/debug/pprof/");
	if (route->query.length)
		buffer_printf(&location, "?%.*s", STR_ARG(route->query));
	return buffer_text(&location);
}

static bool fill_profile(const struct exchange *exchange, struct response *response, struct buffer *body)
{
	const struct route *route = &exchange->route;
	response->content_type = route->debug ? TEXT_PLAIN : "application/octet-stream";
	response->attachment_suffix = "";
	if (route->kind == ROUTE_CPU) {
		response->attachment = "profile";
	} else if (route->profile->since_last) { /* as godeltaprof names it */
		response->attachment = route->profile->name + sizeof(DELTA_PREFIX) - 1;
		response->attachment_suffix = ".pprof.gz";
	} else if (!route->debug) {
		response->attachment = route->profile->name;
		response->attachment_suffix = route->seconds ? "-delta" : route->current ? "-current" : "";
	}
	return route->head || write_body(exchange, body);
}

/* False: it failed. */
static bool fill(const struct exchange *exchange, struct response *response, struct buffer *body)
{
	const struct route *route = &exchange->route;
	response->status = 200;
	response->nosniff = true;
	response->content_type = TEXT_PLAIN;
	switch (route->kind) {
	case ROUTE_ERROR:
		fill_error(route, response, body);
		return true;
	case ROUTE_REDIRECT:
		response->status = 301;
		response->nosniff = false;
		response->content_type = TEXT_HTML;
		response->location = redirect_location(route);
		write_redirect(response->location, body);
		return true;
	case ROUTE_INDEX:
		response->content_type = TEXT_HTML;
		if (!route->head)
			index_render(endpoint_requests(), body);
		return true;
	case ROUTE_CMDLINE:
		buffer_append(body, process.cmdline, process.cmdline_length);
		return true;
	case ROUTE_SYMBOL:
		if (!route->head)
			write_symbols(exchange->body.length ? exchange->body : route->query, body);
		return !body->overflow;
	case ROUTE_PROFILE:
	case ROUTE_CPU:
		return fill_profile(exchange, response, body);
	}
	return false;
}

/* A HEAD of what would have to be collected says nothing of its length. */
static int64_t stated_length(const struct route *route, const struct buffer *body)
{
	bool at_once = route->kind == ROUTE_ERROR || route->kind == ROUTE_REDIRECT || route->kind == ROUTE_CMDLINE;
	return route->head && !at_once ? -1 : (int64_t)body->length;
}

static bool keep_reply(const struct buffer *head, const struct buffer *body, struct reply *ret_reply)
{
	size_t length = head->length + body->length;
	char *bytes = pages_map(length);
	if (!bytes)
		return false;
	if (head->length)
		memcpy(bytes, head->data, head->length);
	if (body->length)
		memcpy(bytes + head->length, body->data, body->length);
	*ret_reply = (struct reply){ .bytes = bytes, .length = length, .mapped = length };
	return true;
}

static void make_reply(void *arg)
{
	struct reply_work *work = arg;
	const struct exchange *exchange = work->exchange;
	struct response response = { .minor_version = exchange->minor_version, .close = exchange->close };
	struct buffer head, body;
	buffer_init(&head, HEAD_MAX);
	buffer_init(&body, BODY_MAX);
	if (!fill(exchange, &response, &body))
		return;
	response.length = stated_length(&exchange->route, &body);
	response_head(&response, &head);
	if (exchange->route.head)
		buffer_clear(&body);
	work->done = !head.overflow && keep_reply(&head, &body, work->reply);
	work->reply->close = exchange->close;
}

static bool try_reply(const struct exchange *exchange, struct reply *ret_reply)
{
	struct reply_work work = { exchange, ret_reply, false };
	return run(make_reply, &work) && work.done;
}

/* For when there is no memory for any other answer. */
static void reply_static(struct reply *ret_reply)
{
	static const char text[] = "HTTP/1.1 500 Internal Server Error\r\n"
							   "Content-Type: " TEXT_PLAIN "\r\n"
							   "X-Content-Type-Options: nosniff\r\n"
							   "X-Go-Pprof: 1\r\n"
							   "Connection: close\r\n"
							   "\r\n" COLLECT_FAILED "\n";
	*ret_reply = (struct reply){ .bytes = text, .length = sizeof(text) - 1, .close = true };
}

void endpoint_reply(const struct exchange *exchange, struct reply *ret_reply)
{
	*ret_reply = (struct reply){ 0 };
	count_request();
	if (try_reply(exchange, ret_reply))
		return;
	struct exchange failed = *exchange;
	bool difference = exchange->before || (exchange->route.profile && exchange->route.profile->since_last);
	failed.route = (struct route){ .kind = ROUTE_ERROR,
		                           .head = exchange->route.head,
		                           .status = 500,
		                           .text = difference ? DELTA_FAILED : COLLECT_FAILED,
		                           .of_pprof = true };
	if (!try_reply(&failed, ret_reply))
		reply_static(ret_reply);
}

void reply_release(struct reply *reply)
{
	if (reply->mapped) {
		union {
			const char *constant;
			void *plain;
		} pages = { reply->bytes };
		pages_unmap(pages.plain, reply->mapped);
	}
	*reply = (struct reply){ 0 };
}

/* --- the API -------------------------------------------------------------------------------------------------------- */

static void make_body(void *arg)
{
	struct reply_work *work = arg;
	struct buffer none, body;
	buffer_init(&none, 0);
	buffer_init(&body, BODY_MAX);
	if (write_body(work->exchange, &body))
		work->done = keep_reply(&none, &body, work->reply);
}

bool endpoint_body(const struct exchange *exchange, struct reply *ret_reply)
{
	struct reply_work work = { exchange, ret_reply, false };
	return run(make_body, &work) && work.done;
}
