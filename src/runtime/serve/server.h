/* server.h - the HTTP/1.1 responder of /debug/pprof/: one thread, epoll, bounded in everything.
 *
 * Runs on the service thread (life.h), without libc's stdio, locale or resolver.
 */
#ifndef CPPROF_RUNTIME_SERVE_SERVER_H
#define CPPROF_RUNTIME_SERVE_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum listener_kind {
	LISTEN_LOOPBACK, /* TCP on a loopback address: the Host header is checked */
	LISTEN_OPEN,     /* TCP on any other address */
	LISTEN_LOCAL,    /* unix socket: the peer's uid is checked (ours or root's) */
};

struct server; /* one per process; memory from pages.h */

struct server *server_new(void); /* NULL: no memory or no descriptor */
/* Adds a listening, non-blocking, close-on-exec socket; the server closes it in the end. False: table full. Before server_run, or
 * from its tick. */
bool server_listen(struct server *server, int fd, enum listener_kind kind);
/* Serves until *stop is not 0, which it looks at whenever it wakes: for a connection, a tick, or server_wake. Connections stay; it
 * may be called again. `tick` is called every `tick_ms` (0: never) on this thread. Returns early only if epoll fails. */
void server_run(struct server *server, const _Atomic int *stop, void (*tick)(void *arg), void *arg, int tick_ms);
/* From any thread that shares its descriptors (the service thread has its own: others connect to a listener). */
void server_wake(struct server *server);
/* Closes listeners and connections, returns the memory. On a thread that shares its descriptors. */
void server_free(struct server *server);

/* Serves one connection that the host accepted itself (cpprof_http): blocking, in the caller's thread, until the client hangs up or is
 * idle for ten seconds. The descriptor, its flags and errno stay as they are. 0 or -errno (-EBADF, -ENOTSOCK). */
int server_one(int fd);

#endif
