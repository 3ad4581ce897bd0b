/* address.h - the addresses that CPPROF_ADDR and cpprof_serve() take, and listening there.
 *
 * Numbers only, no names but "localhost": a resolver would load libraries into the host. P and H, any thread.
 */
#ifndef CPPROF_RUNTIME_ADDRESS_H
#define CPPROF_RUNTIME_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "runtime/serve/server.h"

#define ADDRESS_TEXT_SIZE 136

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un local;
	};
	socklen_t length;
	enum listener_kind kind;
};

/* "127.0.0.1:9527", "localhost:9527", ":9527" and "9527" (loopback, too), "0.0.0.0:9527", "*:9527", "[::1]:9527", "unix:/run/x.sock",
 * "unix:@name" (abstract). Port 0 is a free one. False: it is no such address. */
bool address_parse(const char *text, struct address *ret_address);

/* As address_parse takes it; cut to fit. The length of the text. */
size_t address_format(const struct address *address, char *to, size_t size);

/* The address of process `pid`'s own socket, "@cpprof/PID"; with `attempt` > 0 "@cpprof/PID/ATTEMPT", for when another process has that
 * name (one of another pid namespace). */
void address_of_process(int pid, int attempt, struct address *ret_address);

/* A listening socket there, non-blocking and close-on-exec, and where it was bound (the port, if it was 0). The descriptor, or
 * -errno. A file that a dead server has left at a unix address is replaced. */
int address_listen(const struct address *address, struct address *ret_bound);

#endif
