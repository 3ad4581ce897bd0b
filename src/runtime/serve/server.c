/* server.c - the event loop: listeners, the table of connections, deadlines, the tick. */
#include "runtime/serve/server.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "runtime/serve/connection.h"
#include "runtime/shared/pages.h"
#include "runtime/shared/sys.h"

#define NS_PER_MS UINT64_C(1000000)
#define LISTENERS_MAX 8
/* Idle ones included; when the table is full, the one that was idle longest makes room. */
#define CONNECTIONS_MAX 256
#define IDLE_NS (UINT64_C(60000) * NS_PER_MS)
/* How long nothing is accepted when there is no room, no descriptor, or no memory. */
#define PAUSE_NS (UINT64_C(100) * NS_PER_MS)
/* A connection is not given up before its client could ask, or while it reads what it asked for. */
#define YOUNG_NS (UINT64_C(100) * NS_PER_MS)
#define STUCK_NS (UINT64_C(2000) * NS_PER_MS)
/* Accepted in a row before the others get their turn. */
#define ACCEPT_BATCH 16
#define EVENTS_MAX 32

struct listener {
	int fd;
	enum listener_kind kind;
};

struct slot {
	struct connection connection;
	uint32_t generation; /* of the slot's use: an event of a former user is told by it */
	uint32_t registered; /* what epoll waits for */
};

struct server {
	int epoll_fd, wake_fd;
	uint32_t listener_count;
	uint64_t paused_until_ns; /* 0: listeners are listened to */
	struct listener listeners[LISTENERS_MAX];
	struct slot slots[CONNECTIONS_MAX];
};

/* What an event is about, in the low half of its number; the high half is a slot's generation. */
#define EVENT_WAKE 0u
#define EVENT_LISTENER 1u
#define EVENT_SLOT (EVENT_LISTENER + LISTENERS_MAX)

static long control(const struct server *server, int operation, int fd, uint32_t events, uint64_t number)
{
	struct epoll_event event = { .events = events, .data.u64 = number };
	return sys4(SYS_epoll_ctl, server->epoll_fd, operation, fd, (long)&event);
}

struct server *server_new(void)
{
	struct server *server = pages_map(sizeof(*server));
	if (!server)
		return NULL;
	server->epoll_fd = (int)sys3(SYS_epoll_create1, EPOLL_CLOEXEC, 0, 0);
	server->wake_fd = (int)sys3(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK, 0);
	if (server->epoll_fd < 0 || server->wake_fd < 0 ||
	    control(server, EPOLL_CTL_ADD, server->wake_fd, EPOLLIN, EVENT_WAKE) < 0) {
		server_free(server);
		return NULL;
	}
	return server;
}

bool server_listen(struct server *server, int fd, enum listener_kind kind)
{
	uint32_t ix = server->listener_count;
	if (ix == LISTENERS_MAX || control(server, EPOLL_CTL_ADD, fd, EPOLLIN, EVENT_LISTENER + ix) < 0)
		return false;
	server->listeners[ix] = (struct listener){ fd, kind };
	server->listener_count++;
	return true;
}

void server_wake(struct server *server)
{
	uint64_t one = 1;
	sys_write(server->wake_fd, &one, sizeof(one));
}

/* --- connections ---------------------------------------------------------------------------------------------------- */

static uint64_t slot_number(const struct server *server, const struct slot *slot)
{
	return (EVENT_SLOT + (uint64_t)(slot - server->slots)) | (uint64_t)slot->generation << 32;
}

static void close_slot(struct server *server, struct slot *slot)
{
	int fd = slot->connection.fd;
	connection_release(&slot->connection);
	/* By hand: as long as a copy of the descriptor were open somewhere, it would stay in the set. */
	control(server, EPOLL_CTL_DEL, fd, 0, 0);
	sys_close(fd);
	slot->generation++;
}

/* After anything has happened to it. */
static void settle_slot(struct server *server, struct slot *slot)
{
	struct connection *connection = &slot->connection;
	if (connection->state != CONNECTION_CLOSED && slot->registered != connection->wants) {
		slot->registered = connection->wants;
		if (control(server, EPOLL_CTL_MOD, connection->fd, connection->wants, slot_number(server, slot)) < 0)
			connection->state = CONNECTION_CLOSED;
	}
	if (connection->state == CONNECTION_CLOSED)
		close_slot(server, slot);
}

/* In which order connections are given up for new ones, when there is no room: 0 never. What is being answered is not, unless its
 * client does not read. */
static int expendability(const struct connection *connection, uint64_t now_ns)
{
	uint64_t rest_ns = now_ns > connection->active_ns ? now_ns - connection->active_ns : 0;
	switch (connection->state) {
	case CONNECTION_READING:
	case CONNECTION_LINGERING:
		if (rest_ns < YOUNG_NS)
			return 0;
		return connection_is_idle(connection) ? 3 : 2;
	case CONNECTION_SENDING:
		return rest_ns < STUCK_NS ? 0 : 1;
	case CONNECTION_NONE:
	case CONNECTION_WAITING:
	case CONNECTION_CLOSED:
		break;
	}
	return 0;
}

/* The most expendable, of equals the one without a byte for longest; NULL: none. */
static struct slot *find_victim(struct server *server, uint64_t now_ns)
{
	struct slot *victim = NULL;
	int highest = 0;
	for (uint32_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct slot *slot = &server->slots[i];
		int rank = expendability(&slot->connection, now_ns);
		if (rank == 0 || rank < highest)
			continue;
		if (rank > highest || slot->connection.active_ns < victim->connection.active_ns)
			victim = slot;
		highest = rank;
	}
	return victim;
}

/* A free one, or one whose connection is to be closed for the new one; NULL: none. */
static struct slot *find_slot(struct server *server, uint64_t now_ns)
{
	for (uint32_t i = 0; i < CONNECTIONS_MAX; i++)
		if (server->slots[i].connection.state == CONNECTION_NONE)
			return &server->slots[i];
	return find_victim(server, now_ns);
}

/* At the local socket: the process's own user, or root. */
static bool peer_is_welcome(int fd)
{
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);
	if (sys6(SYS_getsockopt, fd, SOL_SOCKET, SO_PEERCRED, (long)&peer, (long)&size, 0) < 0)
		return false;
	return peer.uid == 0 || (long)peer.uid == sys3(SYS_geteuid, 0, 0, 0);
}

static void take_connection(struct server *server, struct slot *slot, int fd, enum listener_kind kind, uint64_t now_ns)
{
	int on = 1;
	if (kind == LISTEN_LOCAL && !peer_is_welcome(fd)) {
		sys_close(fd);
		return;
	}
	if (kind != LISTEN_LOCAL)
		sys6(SYS_setsockopt, fd, IPPROTO_TCP, TCP_NODELAY, (long)&on, sizeof(on), 0);
	if (slot->connection.state != CONNECTION_NONE)
		close_slot(server, slot);
	connection_open(&slot->connection, fd, kind, IDLE_NS, now_ns);
	slot->registered = slot->connection.wants;
	if (control(server, EPOLL_CTL_ADD, fd, slot->registered, slot_number(server, slot)) < 0)
		close_slot(server, slot);
}

/* --- listeners ------------------------------------------------------------------------------------------------------ */

static void listen_for(struct server *server, uint32_t events)
{
	for (uint32_t i = 0; i < server->listener_count; i++)
		control(server, EPOLL_CTL_MOD, server->listeners[i].fd, events, EVENT_LISTENER + i);
}

/* Clients wait in the kernel's queue meanwhile; a listener that stays readable would keep the loop spinning. */
static void pause_accepting(struct server *server, uint64_t now_ns)
{
	server->paused_until_ns = now_ns + PAUSE_NS;
	listen_for(server, 0);
}

static void accept_some(struct server *server, const struct listener *listener, uint64_t now_ns)
{
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		struct slot *slot = find_slot(server, now_ns), *victim;
		long fd = slot ? sys4(SYS_accept4, listener->fd, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK) : -EMFILE;
		if (fd == -EAGAIN)
			return;
		if (fd >= 0) {
			take_connection(server, slot, (int)fd, listener->kind, now_ns);
		} else if (fd != -EINTR && fd != -ECONNABORTED) {
			/* No descriptor, or no memory for one. */
			victim = find_victim(server, now_ns);
			if (!victim) {
				pause_accepting(server, now_ns);
				return;
			}
			close_slot(server, victim);
		}
	}
}

static void end_pause(struct server *server, uint64_t now_ns)
{
	if (!server->paused_until_ns || now_ns < server->paused_until_ns)
		return;
	server->paused_until_ns = 0;
	listen_for(server, EPOLLIN);
}

/* --- the loop ------------------------------------------------------------------------------------------------------- */

static void handle(struct server *server, const struct epoll_event *event, uint64_t now_ns)
{
	uint32_t about = (uint32_t)event->data.u64;
	if (about == EVENT_WAKE) {
		uint64_t count;
		sys_read(server->wake_fd, &count, sizeof(count));
	} else if (about < EVENT_SLOT) {
		accept_some(server, &server->listeners[about - EVENT_LISTENER], now_ns);
	} else {
		struct slot *slot = &server->slots[about - EVENT_SLOT];
		if (slot->generation != event->data.u64 >> 32 || slot->connection.state == CONNECTION_NONE)
			return; /* it was closed by an earlier event of this round */
		connection_event(&slot->connection, event->events, now_ns);
		settle_slot(server, slot);
	}
}

static void handle_deadlines(struct server *server, uint64_t now_ns)
{
	for (uint32_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct slot *slot = &server->slots[i];
		if (slot->connection.state == CONNECTION_NONE || now_ns < slot->connection.deadline_ns)
			continue;
		connection_event(&slot->connection, 0, now_ns);
		settle_slot(server, slot);
	}
}

/* Milliseconds until the first deadline, rounded up; -1: there is none. */
static int time_left(const struct server *server, uint64_t next_tick_ns, uint64_t now_ns)
{
	uint64_t first_ns = next_tick_ns;
	if (server->paused_until_ns && server->paused_until_ns < first_ns)
		first_ns = server->paused_until_ns;
	for (uint32_t i = 0; i < CONNECTIONS_MAX; i++) {
		const struct connection *connection = &server->slots[i].connection;
		if (connection->state != CONNECTION_NONE && connection->deadline_ns < first_ns)
			first_ns = connection->deadline_ns;
	}
	if (first_ns == UINT64_MAX)
		return -1;
	return first_ns <= now_ns ? 0 : (int)((first_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS);
}

void server_run(struct server *server, const _Atomic int *stop, void (*tick)(void *arg), void *arg, int tick_ms)
{
	uint64_t interval_ns = tick_ms > 0 ? (uint64_t)tick_ms * NS_PER_MS : 0, now_ns = monotonic_ns();
	uint64_t next_tick_ns = interval_ns ? now_ns + interval_ns : UINT64_MAX;
	while (!atomic_load(stop)) {
		struct epoll_event events[EVENTS_MAX];
		int timeout = time_left(server, next_tick_ns, now_ns);
		long count = sys6(SYS_epoll_pwait, server->epoll_fd, (long)events, EVENTS_MAX, timeout, 0, 8);
		if (count < 0 && count != -EINTR)
			return;
		now_ns = monotonic_ns();
		for (long i = 0; i < count; i++)
			handle(server, &events[i], now_ns);
		now_ns = monotonic_ns(); /* answering takes a while */
		handle_deadlines(server, now_ns);
		end_pause(server, now_ns);
		if (now_ns >= next_tick_ns) {
			next_tick_ns = now_ns + interval_ns;
			tick(arg);
		}
	}
}

void server_free(struct server *server)
{
	for (uint32_t i = 0; i < CONNECTIONS_MAX; i++)
		if (server->slots[i].connection.state != CONNECTION_NONE)
			close_slot(server, &server->slots[i]);
	for (uint32_t i = 0; i < server->listener_count; i++)
		sys_close(server->listeners[i].fd);
	if (server->wake_fd >= 0)
		sys_close(server->wake_fd);
	if (server->epoll_fd >= 0)
		sys_close(server->epoll_fd);
	pages_unmap(server, sizeof(*server));
}
