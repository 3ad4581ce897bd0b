/* one.c - server_one(): a single connection, driven by poll in the caller's thread. */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "runtime/serve/connection.h"
#include "runtime/shared/sys.h"

#define NS_PER_MS UINT64_C(1000000)
#define IDLE_NS (UINT64_C(10000) * NS_PER_MS)

_Static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLERR == POLLERR && EPOLLHUP == POLLHUP &&
                       EPOLLRDHUP == POLLRDHUP,
               "connection.h speaks of both alike");

static long socket_type(int fd)
{
	int type;
	socklen_t size = sizeof(type);
	long result = sys6(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, (long)&type, (long)&size, 0);
	return result < 0 ? result : type;
}

/* Until the connection's deadline, or what it wants. The events, 0 = time, or -errno. */
static long await_events(const struct connection *connection)
{
	uint64_t now_ns = monotonic_ns(), deadline_ns = connection->deadline_ns;
	struct pollfd wanted = { connection->fd, (short)connection->wants, 0 };
	uint64_t left_ms = deadline_ns > now_ns ? (deadline_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS : 0;
	long result = sys3(SYS_poll, (long)&wanted, 1, (long)left_ms);
	if (result == -EINTR)
		return 0;
	return result < 0 ? result : (unsigned short)wanted.revents;
}

int server_one(int fd)
{
	struct connection connection;
	long type = socket_type(fd);
	if (type < 0)
		return (int)type;
	if (type != SOCK_STREAM)
		return -EPROTOTYPE;
	/* The host has let the client in: neither its address nor its Host header is ours to judge. */
	connection_open(&connection, fd, LISTEN_OPEN, IDLE_NS, monotonic_ns());
	long events = 0;
	while (connection.state != CONNECTION_CLOSED && events >= 0) {
		events = await_events(&connection);
		if (events >= 0 && events & POLLNVAL)
			events = -EBADF;
		if (events >= 0)
			connection_event(&connection, (uint32_t)events, monotonic_ns());
	}
	connection_release(&connection);
	return events < 0 ? (int)events : 0;
}
