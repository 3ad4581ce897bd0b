/* listeners.h - what the service thread listens at: the process's own local socket, always; CPPROF_ADDR and the addresses of
 * cpprof_serve(), as soon as they are free. On the service thread, except where it says otherwise.
 */
#ifndef CPPROF_RUNTIME_LISTENERS_H
#define CPPROF_RUNTIME_LISTENERS_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/address.h"

/* Opens the local socket and whatever is wanted; at the start of the thread. */
void listeners_open(struct server *server);
/* One more address, at once. 0, or -errno: then it is not wanted any more. */
int listeners_add(struct server *server, const struct address *address);
/* Tries again what was in use. */
void listeners_retry(struct server *server);
/* True while an address is wanted that another process has. */
bool listeners_missing(void);

/* Before the thread starts: an address that is wanted from now on, tried again for as long as it is in use. */
void listeners_want(const struct address *address);
/* Before a thread starts again, and in a fork child: nothing is open, all that was wanted is still wanted. */
void listeners_closed(void);

/* Any thread. The address that was bound last, "" = none; the text stays for ever. */
const char *listeners_address(void);
/* Any thread: an address that is no loopback's is open; the errno of an address that could not be bound and will not be tried
 * again, 0 = none. */
bool listeners_are_open(void);
int listeners_problem(void);
/* Any thread: connects to the local socket and hangs up, so that the service thread wakes. False: there is none. */
bool listeners_knock(void);
const char *listeners_local_address(void);

#endif
