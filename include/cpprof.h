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

/* Writes a profile ("heap", "allocs", "goroutine", "threadcreate", "block", "mutex", "wait") to `fd`: debug 0 is gzip'ed profile.proto,
 * 1 and 2 are text. 0; -ENOENT: no such profile; -EINVAL: "profile", which takes its time (cpprof_cpu_start); the error of the write. */
int cpprof_write(const char *profile, int fd, int debug);

/* Begins a CPU profile of all threads, which cpprof_cpu_stop() writes to `fd`; that stays the caller's, and must be open until then. The
 * samples are shared with whoever asks /debug/pprof/profile meanwhile. 0; -EBUSY: one has been begun; -EPERM: nothing can be sampled
 * here. */
int cpprof_cpu_start(int fd);

/* Ends it and writes it, gzip'ed profile.proto, before it returns. 0; -ESRCH: none has been begun (in a fork child: by it); -ENOMEM or the
 * error of the write: it has ended all the same. */
int cpprof_cpu_stop(void);

/* Samples a second of CPU time for the next cpprof_cpu_start(): 1 to 1000, 100 if never called. The former rate; `hz` < 0 only asks;
 * -EINVAL. */
int cpprof_cpu_rate(int hz);

/* The name of a mutex, rwlock, condition, semaphore or barrier in the labels of the profiles block and mutex; copied, cut to 63 bytes. NULL:
 * it has none any more, to be called before its memory is used otherwise. 0; -EINVAL: no lock; -ENOSPC: 4,096 have one. */
int cpprof_lock_name(const void *lock, const char *name);

/* "0.2.0" */
const char *cpprof_version(void);

#ifdef __cplusplus
}
#endif

#endif
