/* waits_io.c - the wrappers of calls that wait for descriptors: poll and its kin, sockets, read and write.
 *
 * They publish whether or not the call will wait, since to know would cost more than to publish; except that a time-out of
 * zero never waits. Reading and writing, which most often do not wait either, publish without the time.
 */
#include "runtime/hooks/wait.h"

#include <assert.h>

HOOK int poll(struct pollfd *fds, nfds_t count, int timeout)
{
	if (timeout == 0)
		return REAL(poll)(fds, count, timeout);
	WAIT_ENTER(poll, fds, -1);
	int result = REAL(poll)(fds, count, timeout);
	WAIT_LEAVE();
	return result;
}

HOOK int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room)
{
	if (timeout == 0)
		return REAL(__poll_chk)(fds, count, timeout, room);
	WAIT_ENTER(poll, fds, -1);
	int result = REAL(__poll_chk)(fds, count, timeout, room);
	WAIT_LEAVE();
	return result;
}

HOOK int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	WAIT_ENTER(ppoll, fds, -1);
	int result = REAL(ppoll)(fds, count, timeout, mask);
	WAIT_LEAVE();
	return result;
}

HOOK int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask,
                     size_t room)
{
	WAIT_ENTER(ppoll, fds, -1);
	int result = REAL(__ppoll_chk)(fds, count, timeout, mask, room);
	WAIT_LEAVE();
	return result;
}

HOOK int select(int count, fd_set *restrict readable, fd_set *restrict writable, fd_set *restrict exceptional,
                struct timeval *restrict timeout)
{
	WAIT_ENTER(select, 0, -1);
	int result = REAL(select)(count, readable, writable, exceptional, timeout);
	WAIT_LEAVE();
	return result;
}

HOOK int pselect(int count, fd_set *restrict readable, fd_set *restrict writable, fd_set *restrict exceptional,
                 const struct timespec *restrict timeout, const sigset_t *restrict mask)
{
	WAIT_ENTER(pselect, 0, -1);
	int result = REAL(pselect)(count, readable, writable, exceptional, timeout, mask);
	WAIT_LEAVE();
	return result;
}

HOOK int epoll_wait(int epoll, struct epoll_event *events, int count, int timeout)
{
	if (timeout == 0)
		return REAL(epoll_wait)(epoll, events, count, timeout);
	WAIT_ENTER(epoll_wait, epoll, epoll);
	int result = REAL(epoll_wait)(epoll, events, count, timeout);
	WAIT_LEAVE();
	return result;
}

HOOK int epoll_pwait(int epoll, struct epoll_event *events, int count, int timeout, const sigset_t *mask)
{
	if (timeout == 0)
		return REAL(epoll_pwait)(epoll, events, count, timeout, mask);
	WAIT_ENTER(epoll_pwait, epoll, epoll);
	int result = REAL(epoll_pwait)(epoll, events, count, timeout, mask);
	WAIT_LEAVE();
	return result;
}

HOOK int epoll_pwait2(int epoll, struct epoll_event *events, int count, const struct timespec *timeout,
                      const sigset_t *mask)
{
	WAIT_ENTER(epoll_pwait2, epoll, epoll);
	int result = REAL(epoll_pwait2)(epoll, events, count, timeout, mask);
	WAIT_LEAVE();
	return result;
}

HOOK int accept(int fd, __SOCKADDR_ARG from, socklen_t *restrict length)
{
	WAIT_ENTER(accept, fd, fd);
	int result = REAL(accept)(fd, from, length);
	WAIT_LEAVE();
	return result;
}

HOOK int accept4(int fd, __SOCKADDR_ARG from, socklen_t *restrict length, int flags)
{
	WAIT_ENTER(accept4, fd, fd);
	int result = REAL(accept4)(fd, from, length, flags);
	WAIT_LEAVE();
	return result;
}

HOOK int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t length)
{
	WAIT_ENTER(connect, fd, fd);
	int result = REAL(connect)(fd, to, length);
	WAIT_LEAVE();
	return result;
}

HOOK ssize_t read(int fd, void *to, size_t size)
{
	WAIT_ENTER_UNTIMED(read, fd, fd);
	ssize_t result = REAL(read)(fd, to, size);
	WAIT_LEAVE();
	return result;
}

HOOK ssize_t __read_chk(int fd, void *to, size_t size, size_t room)
{
	WAIT_ENTER_UNTIMED(read, fd, fd);
	ssize_t result = REAL(__read_chk)(fd, to, size, room);
	WAIT_LEAVE();
	return result;
}

HOOK ssize_t readv(int fd, const struct iovec *pieces, int count)
{
	WAIT_ENTER_UNTIMED(readv, fd, fd);
	ssize_t result = REAL(readv)(fd, pieces, count);
	WAIT_LEAVE();
	return result;
}

HOOK ssize_t recv(int fd, void *to, size_t size, int flags)
{
	WAIT_ENTER_UNTIMED(recv, fd, fd);
	ssize_t result = REAL(recv)(fd, to, size, flags);
	WAIT_LEAVE();
	return result;
}

HOOK ssize_t __recv_chk(int fd, void *to, size_t size, size_t room, int flags)
{
	WAIT_ENTER_UNTIMED(recv, fd, fd);
	ssize_t result = REAL(__recv_chk)(fd, to, size, room, flags);
	WAIT_LEAVE();
	return result;
}

HOOK ssize_t recvfrom(int fd, void *restrict to, size_t size, int flags, __SOCKADDR_ARG from,
                      socklen_t *restrict length)
{
	WAIT_ENTER_UNTIMED(recvfrom, fd, fd);
	ssize_t result = REAL(recvfrom)(fd, to, size, flags, from, length);
	WAIT_LEAVE();
	return result;
}

HOOK ssize_t __recvfrom_chk(int fd, void *to, size_t size, size_t room, int flags, __SOCKADDR_ARG from,
                            socklen_t *length)
{
	WAIT_ENTER_UNTIMED(recvfrom, fd, fd);
	ssize_t result = REAL(__recvfrom_chk)(fd, to, size, room, flags, from, length);
	WAIT_LEAVE();
	return result;
}

HOOK ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	WAIT_ENTER_UNTIMED(recvmsg, fd, fd);
	ssize_t result = REAL(recvmsg)(fd, message, flags);
	WAIT_LEAVE();
	return result;
}

HOOK int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
	WAIT_ENTER_UNTIMED(recvmmsg, fd, fd);
	int result = REAL(recvmmsg)(fd, messages, count, flags, timeout);
	WAIT_LEAVE();
	return result;
}

HOOK ssize_t write(int fd, const void *from, size_t size)
{
	WAIT_ENTER_UNTIMED(write, fd, fd);
	ssize_t result = REAL(write)(fd, from, size);
	WAIT_LEAVE();
	return result;
}

HOOK ssize_t writev(int fd, const struct iovec *pieces, int count)
{
	WAIT_ENTER_UNTIMED(writev, fd, fd);
	ssize_t result = REAL(writev)(fd, pieces, count);
	WAIT_LEAVE();
	return result;
}

HOOK ssize_t send(int fd, const void *from, size_t size, int flags)
{
	WAIT_ENTER_UNTIMED(send, fd, fd);
	ssize_t result = REAL(send)(fd, from, size, flags);
	WAIT_LEAVE();
	return result;
}

HOOK ssize_t sendto(int fd, const void *from, size_t size, int flags, __CONST_SOCKADDR_ARG to, socklen_t length)
{
	WAIT_ENTER_UNTIMED(sendto, fd, fd);
	ssize_t result = REAL(sendto)(fd, from, size, flags, to, length);
	WAIT_LEAVE();
	return result;
}

HOOK ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	WAIT_ENTER_UNTIMED(sendmsg, fd, fd);
	ssize_t result = REAL(sendmsg)(fd, message, flags);
	WAIT_LEAVE();
	return result;
}

HOOK int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
	WAIT_ENTER_UNTIMED(sendmmsg, fd, fd);
	int result = REAL(sendmmsg)(fd, messages, count, flags);
	WAIT_LEAVE();
	return result;
}

HOOK int flock(int fd, int operation)
{
	WAIT_ENTER(flock, fd, -1);
	int result = REAL(flock)(fd, operation);
	WAIT_LEAVE();
	return result;
}

HOOK int fsync(int fd)
{
	WAIT_ENTER(fsync, fd, -1);
	int result = REAL(fsync)(fd);
	WAIT_LEAVE();
	return result;
}

HOOK int fdatasync(int fd)
{
	WAIT_ENTER(fdatasync, fd, -1);
	int result = REAL(fdatasync)(fd);
	WAIT_LEAVE();
	return result;
}
