/* connection.h - one client: reads requests, answers them in order, waits out ?seconds=N and CPU profiles. Knows no epoll: whoever drives it
 * waits for `wants` or `deadline_ns`, then calls connection_event.
 *
 * On one thread at a time. Never blocks; no libc. Its memory is pages.h's.
 */
#ifndef CPPROF_RUNTIME_SERVE_CONNECTION_H
#define CPPROF_RUNTIME_SERVE_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/serve/endpoints.h"
#include "runtime/serve/request.h"
#include "runtime/serve/server.h"
#include "runtime/serve/snapshot.h"

enum connection_state {
	CONNECTION_NONE,
	CONNECTION_READING,   /* a request, or for one to come */
	CONNECTION_WAITING,   /* for the end of ?seconds=N, or of a CPU profile */
	CONNECTION_SENDING,   /* an answer */
	CONNECTION_LINGERING, /* has sent its last answer, and reads on until the client has got it */
	CONNECTION_CLOSED,    /* to be released, and the descriptor to be closed, by whoever drives it */
};

struct connection {
	enum connection_state state;
	int fd;
	enum listener_kind listener;
	uint32_t wants;       /* EPOLLIN, EPOLLOUT, EPOLLRDHUP (poll's bits are the same) */
	uint64_t deadline_ns; /* CLOCK_MONOTONIC: then connection_event is to be called, too */
	uint64_t idle_ns;     /* how long it may be idle */
	uint64_t active_ns;   /* when something last happened */
	char *input;          /* NULL: nothing there */
	size_t input_size, input_length;
	struct request request; /* at the start of the input */
	struct exchange exchange;
	struct snapshot before;
	struct cpu_session *cpu; /* a CPU profile that is being taken; NULL = none */
	struct reply reply;
	size_t sent;
	bool continued; /* "100 Continue" was sent for this request */
	bool resume;    /* the input may hold another whole request */
};

/* Takes over a connected stream socket, blocking or not. */
void connection_open(struct connection *connection, int fd, enum listener_kind listener, uint64_t idle_ns,
                     uint64_t now_ns);
/* `events`: of epoll or poll; 0 = only the time has come. Does what can be done now and sets `wants` and `deadline_ns` anew. */
void connection_event(struct connection *connection, uint32_t events, uint64_t now_ns);
/* Gives the memory back; the descriptor stays open. */
void connection_release(struct connection *connection);

/* Between two requests, or before the first. */
bool connection_is_idle(const struct connection *connection);

#endif
