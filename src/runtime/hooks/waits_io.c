/* waits_io.c - the wrappers of calls that wait for descriptors: poll and its kin, sockets, read and write.
 *
 * They publish whether or not the call will wait, since to know would cost more than to publish; except that a time-out of
 * zero never waits. Reading and writing most often do not wait either: what takes less than some microseconds is no wait.
 */
#include "runtime/hooks/wait.h"

#include <assert.h>

/* While the profile of such waits is off, a thread that waits here is left to be found through /proc, which has its system call:
 * to return through a frame of ours is most of what a wrapper costs, where the kernel on its way out makes the processor forget
 * which function returns to which (measured on AMD: 18 ns). */
static inline bool is_passed(void)
{
	return !wait_rates[CONTENTION_WAIT] && (process_is_open() || hooks_off);
}

/* The body of a wrapper: waits in `call` for `waited_for`, and returns its result. */
#define WAIT_IN(call_name, waited_for, fd, leave, call) \
	if (HOOK_UNLIKELY(is_passed())) \
		return (call); \
	WAIT_ENTER(call_name, waited_for, fd); \
	__typeof__(call) result = (call); \
	leave(); \
	return result

HOOK int poll(struct pollfd *fds, nfds_t count, int timeout)
{
	if (timeout == 0)
		return REAL(poll)(fds, count, timeout);
	WAIT_IN(poll, fds, -1, WAIT_LEAVE, REAL(poll)(fds, count, timeout));
}

HOOK int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room)
{
	if (timeout == 0)
		return REAL(__poll_chk)(fds, count, timeout, room);
	WAIT_IN(poll, fds, -1, WAIT_LEAVE, REAL(__poll_chk)(fds, count, timeout, room));
}

HOOK int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	WAIT_IN(ppoll, fds, -1, WAIT_LEAVE, REAL(ppoll)(fds, count, timeout, mask));
}

HOOK int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask,
                     size_t room)
{
	WAIT_IN(ppoll, fds, -1, WAIT_LEAVE, REAL(__ppoll_chk)(fds, count, timeout, mask, room));
}

HOOK int select(int count, fd_set *restrict readable, fd_set *restrict writable, fd_set *restrict exceptional,
                struct timeval *restrict timeout)
{
	WAIT_IN(select, 0, -1, WAIT_LEAVE, REAL(select)(count, readable, writable, exceptional, timeout));
}

HOOK int pselect(int count, fd_set *restrict readable, fd_set *restrict writable, fd_set *restrict exceptional,
                 const struct timespec *restrict timeout, const sigset_t *restrict mask)
{
	WAIT_IN(pselect, 0, -1, WAIT_LEAVE, REAL(pselect)(count, readable, writable, exceptional, timeout, mask));
}

HOOK int epoll_wait(int epoll, struct epoll_event *events, int count, int timeout)
{
	if (timeout == 0)
		return REAL(epoll_wait)(epoll, events, count, timeout);
	WAIT_IN(epoll_wait, epoll, epoll, WAIT_LEAVE, REAL(epoll_wait)(epoll, events, count, timeout));
}

HOOK int epoll_pwait(int epoll, struct epoll_event *events, int count, int timeout, const sigset_t *mask)
{
	if (timeout == 0)
		return REAL(epoll_pwait)(epoll, events, count, timeout, mask);
	WAIT_IN(epoll_pwait, epoll, epoll, WAIT_LEAVE, REAL(epoll_pwait)(epoll, events, count, timeout, mask));
}

HOOK int epoll_pwait2(int epoll, struct epoll_event *events, int count, const struct timespec *timeout,
                      const sigset_t *mask)
{
	WAIT_IN(epoll_pwait2, epoll, epoll, WAIT_LEAVE, REAL(epoll_pwait2)(epoll, events, count, timeout, mask));
}

HOOK int accept(int fd, __SOCKADDR_ARG from, socklen_t *restrict length)
{
	WAIT_IN(accept, fd, fd, WAIT_LEAVE, REAL(accept)(fd, from, length));
}

HOOK int accept4(int fd, __SOCKADDR_ARG from, socklen_t *restrict length, int flags)
{
	WAIT_IN(accept4, fd, fd, WAIT_LEAVE, REAL(accept4)(fd, from, length, flags));
}

HOOK int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t length)
{
	WAIT_IN(connect, fd, fd, WAIT_LEAVE, REAL(connect)(fd, to, length));
}

HOOK ssize_t read(int fd, void *to, size_t size)
{
	WAIT_IN(read, fd, fd, WAIT_LEAVE_UNLESS_SHORT, REAL(read)(fd, to, size));
}

HOOK ssize_t __read_chk(int fd, void *to, size_t size, size_t room)
{
	WAIT_IN(read, fd, fd, WAIT_LEAVE_UNLESS_SHORT, REAL(__read_chk)(fd, to, size, room));
}

HOOK ssize_t readv(int fd, const struct iovec *pieces, int count)
{
	WAIT_IN(readv, fd, fd, WAIT_LEAVE_UNLESS_SHORT, REAL(readv)(fd, pieces, count));
}

HOOK ssize_t recv(int fd, void *to, size_t size, int flags)
{
	WAIT_IN(recv, fd, fd, WAIT_LEAVE_UNLESS_SHORT, REAL(recv)(fd, to, size, flags));
}

HOOK ssize_t __recv_chk(int fd, void *to, size_t size, size_t room, int flags)
{
	WAIT_IN(recv, fd, fd, WAIT_LEAVE_UNLESS_SHORT, REAL(__recv_chk)(fd, to, size, room, flags));
}

HOOK ssize_t recvfrom(int fd, void *restrict to, size_t size, int flags, __SOCKADDR_ARG from,
                      socklen_t *restrict length)
{
	WAIT_IN(recvfrom, fd, fd, WAIT_LEAVE_UNLESS_SHORT, REAL(recvfrom)(fd, to, size, flags, from, length));
}

HOOK ssize_t __recvfrom_chk(int fd, void *to, size_t size, size_t room, int flags, __SOCKADDR_ARG from,
                            socklen_t *length)
{
	WAIT_IN(recvfrom, fd, fd, WAIT_LEAVE_UNLESS_SHORT, REAL(__recvfrom_chk)(fd, to, size, room, flags, from, length));
}

HOOK ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	WAIT_IN(recvmsg, fd, fd, WAIT_LEAVE_UNLESS_SHORT, REAL(recvmsg)(fd, message, flags));
}

HOOK int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
	WAIT_IN(recvmmsg, fd, fd, WAIT_LEAVE_UNLESS_SHORT, REAL(recvmmsg)(fd, messages, count, flags, timeout));
}

HOOK ssize_t write(int fd, const void *from, size_t size)
{
	WAIT_IN(write, fd, fd, WAIT_LEAVE_UNLESS_SHORT, REAL(write)(fd, from, size));
}

HOOK ssize_t writev(int fd, const struct iovec *pieces, int count)
{
	WAIT_IN(writev, fd, fd, WAIT_LEAVE_UNLESS_SHORT, REAL(writev)(fd, pieces, count));
}

HOOK ssize_t send(int fd, const void *from, size_t size, int flags)
{
	WAIT_IN(send, fd, fd, WAIT_LEAVE_UNLESS_SHORT, REAL(send)(fd, from, size, flags));
}

HOOK ssize_t sendto(int fd, const void *from, size_t size, int flags, __CONST_SOCKADDR_ARG to, socklen_t length)
{
	WAIT_IN(sendto, fd, fd, WAIT_LEAVE_UNLESS_SHORT, REAL(sendto)(fd, from, size, flags, to, length));
}

HOOK ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	WAIT_IN(sendmsg, fd, fd, WAIT_LEAVE_UNLESS_SHORT, REAL(sendmsg)(fd, message, flags));
}

HOOK int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
	WAIT_IN(sendmmsg, fd, fd, WAIT_LEAVE_UNLESS_SHORT, REAL(sendmmsg)(fd, messages, count, flags));
}

HOOK int flock(int fd, int operation)
{
	WAIT_IN(flock, fd, -1, WAIT_LEAVE, REAL(flock)(fd, operation));
}

HOOK int fsync(int fd)
{
	WAIT_IN(fsync, fd, -1, WAIT_LEAVE, REAL(fsync)(fd));
}

HOOK int fdatasync(int fd)
{
	WAIT_IN(fdatasync, fd, -1, WAIT_LEAVE, REAL(fdatasync)(fd));
}
