/* life.h - when the library comes up in a process, when its service thread starts and stops, and what a fork does.
 *
 * See docs/lifecycle.md. The service thread is a raw clone: glibc does not know it, so that a single-threaded program keeps its
 * shortcuts, and pthread_exit() of the last thread still ends the process. It may not use anything of libc that allocates, locks,
 * or needs a thread descriptor. Its descriptors are in a table of its own (service_thread.h): no function that a host's thread
 * runs may touch one of them, server_wake() and server_free() included.
 */
#ifndef CPPROF_RUNTIME_LIFE_H
#define CPPROF_RUNTIME_LIFE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* 0 until the service thread has been started (or must never be): the one word that a wait wrapper looks at. */
extern _Atomic int life_settled;

/* A wrapper is about to wait in `call`-like fashion: starts the service thread if this process should have one. Preserves errno.
 * fd: the descriptor waited for, -1 = none; a regular file is no reason to start. Slow; call through life_waits. */
void life_waits_slow(int fd);
static inline void life_waits(int fd)
{
	if (__builtin_expect(!atomic_load_explicit(&life_settled, memory_order_relaxed), 0))
		life_waits_slow(fd);
}
/* In a fork child the settled word is reset by process_check, which every wait wrapper does first. */

/* From pthread_create (the process becomes multi-threaded), and from a heap sample (a program that never waits). Cheap after start. */
void life_threads_begin(void);
void life_sampled(void);

/* The constructor's part (preload.c), once per program: starts at once in the program that `cpprof run` was given. */
void life_begin(void);
/* True in a program that a child of a profiled process has executed while CPPROF_FOLLOW=0: the library is to do nothing. */
bool life_is_unfollowed(void);

/* The tid of the service thread, 0 = none: never to be dumped. */
int life_service_tid(void);
/* Stops the service thread and waits for its end (two seconds at the most), before the host changes its namespaces; true if it
 * was running. Connections end, sockets close. */
bool life_pause(void);
/* Starts it again, listening afresh, with the caller's identity and namespaces. */
void life_resume(void);
/* Stops it for good: a system call filter is about to be installed, which might kill the process for a call of ours. `reason` is
 * static text. */
void life_stop(const char *reason);
/* The caller's identity (user, groups, capabilities) has just changed: the service thread takes it over before this returns
 * (unless it is busy for more than two seconds: then before it serves anything else). Preserves errno. */
void life_identity_changed(void);

/* Starts serving at once, at the address too if it is not NULL: cpprof_serve. 0 or -errno. ret_bound (may be NULL, size bytes): where. */
int life_serve(const char *address, char *ret_bound, uint32_t size);
/* Runs `work(arg)` on the service thread and waits for its end; at once, if this is the service thread. Starts the thread if need be. False:
 * there is none, or it did not come to it within two seconds (then it will not do it). Not inside work_run. Preserves errno. */
bool life_run(void (*work)(void *arg), void *arg);
/* On the service thread: cpu_beat() is to be called every CPU_BEAT_MS from now on, or no more. */
void life_beat(bool wanted);
/* Where we serve, for the index and cpprof ps: "127.0.0.1:9527", "" = local socket only. */
const char *life_address(void);
/* NULL while the service runs or may still start; else why there is none: "off: the program has installed a system call filter". */
const char *life_why_off(void);

#endif
