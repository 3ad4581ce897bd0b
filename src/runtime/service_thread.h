/* service_thread.h - one thread of ours that glibc does not know: a raw clone with a stack and a thread block of its own.
 *
 * It has a table of descriptors of its own, too: what it opens, the host never sees, cannot close, and does not hand on to
 * its children; and the other way round. Not here: what it does (life.c).
 */
#ifndef CPPROF_RUNTIME_SERVICE_THREAD_H
#define CPPROF_RUNTIME_SERVICE_THREAD_H

#include <stdbool.h>
#include <stdint.h>

/* Starts `entry` on the thread, with all signals blocked, the caller's identity, and copies of the caller's descriptors, which
 * `entry` should drop first (service_thread_drop_descriptors). The thread ends when `entry` returns. One at a time: the
 * previous one must have ended. 0 or -errno. Takes no lock of libc and allocates nothing there: any hook may call it. */
int service_thread_start(void (*entry)(void));

/* On the thread itself: closes everything that it has inherited. */
void service_thread_drop_descriptors(void);

/* Its tid, 0 = none runs. Any thread. */
int service_thread_tid(void);

/* Waits until the thread has ended, its stack is free, and the kernel has forgotten it, at most so long. True: it is gone. */
bool service_thread_join(uint64_t timeout_ns);

/* In a fork child: the thread is not there. Its memory will be used again. */
void service_thread_forked(void);

#endif
