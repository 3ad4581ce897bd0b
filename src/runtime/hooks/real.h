/* real.h - the functions that the hooks stand before, as the dynamic linker finds them behind us: libc's, or those of
 * another library that replaces them too.
 */
#ifndef CPPROF_RUNTIME_HOOKS_REAL_H
#define CPPROF_RUNTIME_HOOKS_REAL_H

#include <dlfcn.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include "runtime/hooks/hook.h"

/* What programs compiled with _FORTIFY_SOURCE call: in the C library, in none of its headers unless that is set. */
ssize_t __read_chk(int fd, void *to, size_t size, size_t room);
ssize_t __recv_chk(int fd, void *to, size_t size, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *to, size_t size, size_t room, int flags, __SOCKADDR_ARG from, socklen_t *length);
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room);
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask, size_t room);
_Noreturn void __longjmp_chk(struct __jmp_buf_tag *to, int value);

/* clang-format off */
/* X(name): the default version is right. */
#define REAL_CALLS(X) \
	X(pthread_create) X(pthread_join) X(pthread_timedjoin_np) X(pthread_clockjoin_np) X(pthread_tryjoin_np) \
	X(pthread_detach) X(thrd_create) X(thrd_join) X(thrd_detach) \
	X(pthread_mutex_lock) X(pthread_mutex_trylock) X(pthread_mutex_timedlock) X(pthread_mutex_clocklock) \
	X(pthread_mutex_unlock) X(pthread_rwlock_unlock) X(mtx_unlock) \
	X(pthread_rwlock_rdlock) X(pthread_rwlock_wrlock) X(pthread_rwlock_tryrdlock) X(pthread_rwlock_trywrlock) \
	X(pthread_rwlock_timedrdlock) X(pthread_rwlock_timedwrlock) \
	X(pthread_rwlock_clockrdlock) X(pthread_rwlock_clockwrlock) \
	X(pthread_cond_clockwait) X(pthread_barrier_wait) \
	X(sem_wait) X(sem_trywait) X(sem_timedwait) X(sem_clockwait) \
	X(mtx_lock) X(mtx_trylock) X(mtx_timedlock) X(cnd_wait) X(cnd_timedwait) X(thrd_sleep) \
	X(poll) X(ppoll) X(select) X(pselect) X(epoll_wait) X(epoll_pwait) X(epoll_pwait2) \
	X(__poll_chk) X(__ppoll_chk) X(__read_chk) X(__recv_chk) X(__recvfrom_chk) \
	X(accept) X(accept4) X(connect) X(read) X(readv) X(recv) X(recvfrom) X(recvmsg) X(recvmmsg) \
	X(write) X(writev) X(send) X(sendto) X(sendmsg) X(sendmmsg) \
	X(nanosleep) X(clock_nanosleep) X(usleep) X(sleep) X(pause) \
	X(sigaction) X(signal) X(signalfd) X(sigwait) X(sigwaitinfo) X(sigtimedwait) X(sigsuspend) \
	X(wait) X(waitpid) X(wait3) X(wait4) X(waitid) \
	X(flock) X(fsync) X(fdatasync) X(msgrcv) X(msgsnd) X(semop) X(semtimedop) \
	X(dlclose) X(dl_iterate_phdr) \
	X(longjmp) X(_longjmp) X(siglongjmp) X(__longjmp_chk)
/* X(name, version): glibc has an older function of this name, with another layout of its argument. */
#define REAL_VERSIONED_CALLS(X) \
	X(pthread_cond_wait, "GLIBC_2.3.2") X(pthread_cond_timedwait, "GLIBC_2.3.2")
/* clang-format on */

struct real_calls {
#define REAL_MEMBER(name) __typeof__(&name) name;
#define REAL_VERSIONED_MEMBER(name, version) __typeof__(&name) name;
	REAL_CALLS(REAL_MEMBER)
	REAL_VERSIONED_CALLS(REAL_VERSIONED_MEMBER)
#undef REAL_MEMBER
#undef REAL_VERSIONED_MEMBER
};

extern struct real_calls real_calls __attribute__((visibility("hidden")));
/* CPPROF_DISABLE=threads, or all: the hooks record nothing. */
extern bool hooks_off __attribute__((visibility("hidden")));

/* Finds them all, and reads the settings. Idempotent; preserves errno; must not be called from a signal handler for the
 * first time, which threads_init() sees to. */
void real_calls_find(void);

/* The function itself, found now if a hook is called before the constructor. */
#define REAL(name) (HOOK_UNLIKELY(!real_calls.name) ? real_calls_find() : (void)0, real_calls.name)

#endif
