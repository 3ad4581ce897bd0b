/* connection.c - the states of a connection, and the limits that keep all of them together small. */
#include "runtime/serve/connection.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "runtime/shared/pages.h"
#include "runtime/shared/process.h"
#include "runtime/shared/sys.h"

#define NS_PER_SECOND UINT64_C(1000000000)
#define HEAD_TIMEOUT_NS (10 * NS_PER_SECOND)
#define BODY_TIMEOUT_NS (30 * NS_PER_SECOND)
#define SEND_TIMEOUT_NS (30 * NS_PER_SECOND)
#define LINGER_NS NS_PER_SECOND

/* A head and what was sent behind it. More than a head may have, so that one that is too long is noticed. */
#define INPUT_SIZE (REQUEST_HEAD_MAX + (size_t)8 * 1024)
/* And a body, with the framing of the chunk that is being read. */
#define INPUT_SIZE_BODY (INPUT_SIZE + REQUEST_BODY_MAX + REQUEST_TRAILER_MAX)

/* Connections that wait or send: each holds an answer, or half of a difference. */
#define BUSY_MAX 64
/* Bytes of answers, halves, and bodies that are held before new ones are refused. */
#define HELD_MAX ((int64_t)128 * 1024 * 1024)

static const char too_many[] = "too many requests at once";

/* Of this process: a fork child starts from 0. */
static struct {
	_Atomic int pid;
	_Atomic int busy;
	_Atomic int64_t held;
} budget;

static void check_budget_is_ours(void)
{
	if (atomic_load_explicit(&budget.pid, memory_order_relaxed) == process.pid)
		return;
	atomic_store(&budget.busy, 0);
	atomic_store(&budget.held, 0);
	atomic_store(&budget.pid, process.pid);
}

static void hold(size_t bytes)
{
	atomic_fetch_add_explicit(&budget.held, (int64_t)bytes, memory_order_relaxed);
}

static void let_go(size_t bytes)
{
	atomic_fetch_sub_explicit(&budget.held, (int64_t)bytes, memory_order_relaxed);
}

static bool is_busy(enum connection_state state)
{
	return state == CONNECTION_WAITING || state == CONNECTION_SENDING;
}

static void set_state(struct connection *connection, enum connection_state state)
{
	int change = is_busy(state) - is_busy(connection->state);
	if (change)
		atomic_fetch_add_explicit(&budget.busy, change, memory_order_relaxed);
	connection->state = state;
}

static bool overloaded(void)
{
	return atomic_load_explicit(&budget.busy, memory_order_relaxed) >= BUSY_MAX ||
	       atomic_load_explicit(&budget.held, memory_order_relaxed) >= HELD_MAX;
}

static void wait_for(struct connection *connection, uint32_t wants, uint64_t deadline_ns)
{
	connection->wants = wants;
	connection->deadline_ns = deadline_ns;
}

/* --- input ---------------------------------------------------------------------------------------------------------- */

static void release_input(struct connection *connection)
{
	if (!connection->input)
		return;
	pages_unmap(connection->input, connection->input_size);
	let_go(connection->input_size);
	connection->input = NULL;
	connection->input_size = connection->input_length = 0;
}

static bool ensure_input(struct connection *connection, size_t size)
{
	if (connection->input_size >= size)
		return true;
	char *bigger = pages_map(size);
	if (!bigger)
		return false;
	size_t length = connection->input_length;
	if (length)
		memcpy(bigger, connection->input, length);
	release_input(connection);
	hold(size);
	connection->input = bigger;
	connection->input_size = size;
	connection->input_length = length;
	return true;
}

static long receive(int fd, void *to, size_t size)
{
	long got;
	do
		got = sys6(SYS_recvfrom, fd, (long)to, (long)size, MSG_DONTWAIT, 0, 0);
	while (got == -EINTR);
	return got;
}

static void close_now(struct connection *connection)
{
	set_state(connection, CONNECTION_CLOSED);
	wait_for(connection, 0, 0);
}

/* Between two requests: the memory goes, unless the next one has begun. */
static void await_request(struct connection *connection, uint64_t now_ns)
{
	set_state(connection, CONNECTION_READING);
	connection->request = (struct request){ 0 };
	connection->continued = false;
	connection->active_ns = now_ns;
	connection->resume = connection->input_length > 0;
	if (!connection->resume)
		release_input(connection);
	/* Others take their turn before the next of several requests sent at once. */
	wait_for(connection, EPOLLIN, connection->resume ? now_ns : now_ns + connection->idle_ns);
}

static void drop_request(struct connection *connection)
{
	size_t used = connection->request.next;
	connection->input_length -= used;
	memmove(connection->input, connection->input + used, connection->input_length);
}

/* --- output --------------------------------------------------------------------------------------------------------- */

static void release_reply(struct connection *connection)
{
	let_go(connection->reply.mapped);
	reply_release(&connection->reply);
}

static void release_before(struct connection *connection)
{
	let_go(connection->before.size);
	snapshot_release(&connection->before);
	connection->exchange.before = NULL;
}

/* Sampling ends with its last session: at once, when the client has gone. */
static void release_cpu(struct connection *connection)
{
	if (connection->cpu)
		cpu_release(connection->cpu);
	connection->cpu = NULL;
	connection->exchange.cpu = NULL;
}

/* The last answer is on its way. A close with input left unread would have the kernel reset the connection, and the answer with
 * it: so read on for a moment. */
static void linger(struct connection *connection, uint64_t now_ns)
{
	release_input(connection);
	sys3(SYS_shutdown, connection->fd, SHUT_WR, 0);
	set_state(connection, CONNECTION_LINGERING);
	wait_for(connection, EPOLLIN, now_ns + LINGER_NS);
}

static void read_away(struct connection *connection)
{
	char bytes[4096];
	for (int i = 0; i < 16; i++) {
		long got = receive(connection->fd, bytes, sizeof(bytes));
		if (got == -EAGAIN)
			return;
		if (got <= 0) {
			close_now(connection);
			return;
		}
	}
}

static void reply_sent(struct connection *connection, uint64_t now_ns)
{
	bool last = connection->reply.close;
	release_reply(connection);
	if (last) {
		linger(connection, now_ns);
		return;
	}
	drop_request(connection);
	await_request(connection, now_ns);
}

/* Never SIGPIPE. */
static long send_some(int fd, const char *bytes, size_t length)
{
	long sent;
	do
		sent = sys6(SYS_sendto, fd, (long)bytes, (long)length, MSG_NOSIGNAL | MSG_DONTWAIT, 0, 0);
	while (sent == -EINTR);
	return sent;
}

static void send_reply(struct connection *connection, uint64_t now_ns)
{
	struct reply *reply = &connection->reply;
	while (connection->sent < reply->length) {
		long sent = send_some(connection->fd, reply->bytes + connection->sent, reply->length - connection->sent);
		if (sent == -EAGAIN)
			return;
		if (sent <= 0) {
			close_now(connection);
			return;
		}
		connection->sent += (size_t)sent;
		connection->active_ns = now_ns;
		wait_for(connection, EPOLLOUT, now_ns + SEND_TIMEOUT_NS);
	}
	reply_sent(connection, now_ns);
}

static void begin_reply(struct connection *connection, uint64_t now_ns)
{
	hold(connection->reply.mapped);
	connection->sent = 0;
	set_state(connection, CONNECTION_SENDING);
	wait_for(connection, EPOLLOUT, now_ns + SEND_TIMEOUT_NS);
	send_reply(connection, now_ns);
}

static void reply(struct connection *connection, uint64_t now_ns)
{
	endpoint_reply(&connection->exchange, &connection->reply);
	release_before(connection);
	release_cpu(connection);
	begin_reply(connection, now_ns);
}

/* `text`, and `detail` if it is not NULL: static. */
static void refuse(struct connection *connection, const char *text, const char *detail, bool close, uint64_t now_ns)
{
	struct exchange *exchange = &connection->exchange;
	*exchange = (struct exchange){ .minor_version = connection->request.minor_version, .close = close };
	exchange->route =
			(struct route){ .kind = ROUTE_ERROR, .status = 500, .text = text, .of_pprof = true, .detail = detail };
	reply(connection, now_ns);
}

/* --- requests ------------------------------------------------------------------------------------------------------- */

static void begin_difference(struct connection *connection, uint64_t now_ns)
{
	const struct route *route = &connection->exchange.route;
	if (!endpoint_snapshot(route, &connection->before)) {
		refuse(connection, "failed to collect profile", NULL, connection->exchange.close, now_ns);
		return;
	}
	hold(connection->before.size);
	connection->exchange.before = &connection->before;
	set_state(connection, CONNECTION_WAITING);
	/* From when the first half was taken: collecting takes a while. */
	wait_for(connection, EPOLLRDHUP, connection->before.taken_ns + (uint64_t)route->seconds * NS_PER_SECOND);
}

static void begin_cpu(struct connection *connection, uint64_t now_ns)
{
	const struct route *route = &connection->exchange.route;
	struct cpu_wish wish = { .hz = route->hz, .by_thread = route->by_thread };
	const char *why = NULL;
	connection->cpu = cpu_begin(&wish, &why);
	if (!connection->cpu) {
		refuse(connection, "Could not enable CPU profiling", why, connection->exchange.close, now_ns);
		return;
	}
	set_state(connection, CONNECTION_WAITING);
	/* From now: arming many threads takes a while. */
	wait_for(connection, EPOLLRDHUP, monotonic_ns() + (uint64_t)route->seconds * NS_PER_SECOND);
}

static void end_cpu(struct connection *connection)
{
	cpu_end(connection->cpu);
	connection->exchange.cpu = connection->cpu;
}

static void answer(struct connection *connection, uint64_t now_ns)
{
	struct request *request = &connection->request;
	struct exchange *exchange = &connection->exchange;
	*exchange = (struct exchange){ .minor_version = request->minor_version, .close = !request->keep_alive };
	if (request->method == METHOD_POST)
		exchange->body = (struct str){ connection->input + request->head_length, request->body_length };
	route_request(request, connection->input, connection->listener, &exchange->route);
	enum route_kind kind = exchange->route.kind;
	bool collects = (kind == ROUTE_PROFILE || kind == ROUTE_CPU) && !exchange->route.head;
	if (collects && overloaded())
		refuse(connection, too_many, NULL, exchange->close, now_ns);
	else if (collects && kind == ROUTE_CPU)
		begin_cpu(connection, now_ns);
	else if (collects && exchange->route.seconds)
		begin_difference(connection, now_ns);
	else
		reply(connection, now_ns);
}

static void answer_bad(struct connection *connection, uint64_t now_ns)
{
	connection->exchange = (struct exchange){ .minor_version = 1, .close = true };
	route_bad_request(&connection->request, &connection->exchange.route);
	reply(connection, now_ns);
}

/* A client that expects it sends the body only then; the socket's buffer is empty, so it takes these few bytes. */
static void invite_body(struct connection *connection)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	if (!connection->request.expect_continue || connection->continued)
		return;
	connection->continued = true;
	if (send_some(connection->fd, text, sizeof(text) - 1) != sizeof(text) - 1)
		close_now(connection);
}

static void read_on(struct connection *connection, bool first_bytes, uint64_t now_ns)
{
	bool had_head = request_wants_body(&connection->request);
	wait_for(connection, EPOLLIN, first_bytes ? now_ns + HEAD_TIMEOUT_NS : connection->deadline_ns);
	switch (request_read(&connection->request, connection->input, &connection->input_length)) {
	case REQUEST_COMPLETE:
		answer(connection, now_ns);
		return;
	case REQUEST_BAD:
		answer_bad(connection, now_ns);
		return;
	case REQUEST_MORE:
		break;
	}
	if (!request_wants_body(&connection->request))
		return;
	if (!had_head) {
		connection->deadline_ns = now_ns + BODY_TIMEOUT_NS;
		if (overloaded() || !ensure_input(connection, INPUT_SIZE_BODY)) {
			refuse(connection, too_many, NULL, true, now_ns);
			return;
		}
	}
	invite_body(connection);
}

static void read_input(struct connection *connection, uint64_t now_ns)
{
	if (!ensure_input(connection, INPUT_SIZE)) {
		close_now(connection);
		return;
	}
	bool first_bytes = connection->input_length == 0;
	long got = receive(connection->fd, connection->input + connection->input_length,
	                   connection->input_size - connection->input_length);
	if (got == -EAGAIN) {
		if (first_bytes)
			release_input(connection);
		return;
	}
	if (got <= 0) { /* it has hung up, with or without half a request */
		close_now(connection);
		return;
	}
	connection->active_ns = now_ns;
	connection->input_length += (size_t)got;
	read_on(connection, first_bytes, now_ns);
}

/* --- driven from outside -------------------------------------------------------------------------------------------- */

void connection_open(struct connection *connection, int fd, enum listener_kind listener, uint64_t idle_ns,
                     uint64_t now_ns)
{
	check_budget_is_ours();
	*connection = (struct connection){ .fd = fd, .listener = listener, .idle_ns = idle_ns };
	await_request(connection, now_ns);
}

static void time_has_come(struct connection *connection, uint64_t now_ns)
{
	if (connection->state == CONNECTION_WAITING) {
		if (connection->cpu)
			end_cpu(connection);
		reply(connection, now_ns);
	} else if (connection->state == CONNECTION_READING && connection->resume) {
		connection->resume = false;
		read_on(connection, true, now_ns);
	} else if (connection->state == CONNECTION_READING && connection->input_length) {
		connection->request.status = 408;
		connection->request.problem = NULL;
		answer_bad(connection, now_ns);
	} else {
		close_now(connection);
	}
}

void connection_event(struct connection *connection, uint32_t events, uint64_t now_ns)
{
	if (events & (EPOLLERR | EPOLLHUP))
		close_now(connection);
	else if (connection->state == CONNECTION_WAITING && events & EPOLLRDHUP)
		close_now(connection);
	else if (connection->state == CONNECTION_READING && events & EPOLLIN && !connection->resume)
		read_input(connection, now_ns);
	else if (connection->state == CONNECTION_SENDING && events & EPOLLOUT)
		send_reply(connection, now_ns);
	else if (connection->state == CONNECTION_LINGERING && events & EPOLLIN)
		read_away(connection);
	if (connection->state != CONNECTION_CLOSED && now_ns >= connection->deadline_ns)
		time_has_come(connection, now_ns);
}

void connection_release(struct connection *connection)
{
	set_state(connection, CONNECTION_CLOSED);
	release_input(connection);
	release_reply(connection);
	release_before(connection);
	release_cpu(connection);
	connection->state = CONNECTION_NONE;
}

bool connection_is_idle(const struct connection *connection)
{
	return connection->state == CONNECTION_READING && connection->input_length == 0;
}
