/* cpprof.h - libcpprof's public functions: /debug/pprof/ in a C program.
 *
 * Linking with -lcpprof, or preloading the library, is enough to be reachable at the process's local socket (`cpprof pid:N/heap`); the
 * functions below are for programs that want more. All may be called from any thread, none from a signal handler. Failures
 * are negative errno values. CPPROF_DISABLE=all in the environment turns them into nothing.
 */
#ifndef CPPROF_H
#define CPPROF_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CPPROF_VERSION_MAJOR 0
#define CPPROF_VERSION_MINOR 2

/* Serves /debug/pprof/ at the address: "127.0.0.1:9527", ":0" (a free port), "[::1]:9527", "unix:/run/x.sock". NULL: what CPPROF_ADDR
 * says. Starts the service thread if it does not run yet. 0; -EADDRINUSE, -EINVAL (not an address), ... */
int cpprof_serve(const char *address);

/* Where it serves, as "127.0.0.1:9527", into `to` (cut to `size`); the length, 0 = only at the local socket. */
size_t cpprof_address(char *to, size_t size);

/* Serves the one connection on `fd`, which the program accepted itself, then returns; `fd` stays the caller's. */
int cpprof_http(int fd);

/* Writes a profile ("heap", "allocs", "goroutine", "threadcreate") to `fd`: debug 0 is gzip'ed profile.proto, 1 and 2 are text.
 * -ENOENT: no such profile. */
int cpprof_write(const char *profile, int fd, int debug);

/* "0.2.0" */
const char *cpprof_version(void);

#ifdef __cplusplus
}
#endif

#endif
