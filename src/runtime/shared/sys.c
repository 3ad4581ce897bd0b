/* sys.c - the system calls that need more than one line. */
#include "runtime/shared/sys.h"

#include <errno.h>
#include <string.h>

/* Where process_vm_readv is refused (seccomp): a write into a pipe fails on an unmapped page instead of faulting. */
static long copy_through_pipe(char *to, const char *from, size_t size)
{
	int ends[2];
	long made = sys3(SYS_pipe2, (long)ends, O_CLOEXEC | O_NONBLOCK, 0);
	if (made < 0)
		return made;
	size_t copied = 0;
	while (copied < size) {
		/* Up to the end of a page: the kernel refuses a piece whose first byte is not there. */
		size_t piece = 4096 - ((uintptr_t)(from + copied) & 4095);
		if (piece > size - copied)
			piece = size - copied;
		long written = sys_write(ends[1], from + copied, piece);
		if (written <= 0 || sys_read(ends[0], to + copied, (size_t)written) != written)
			break;
		copied += (size_t)written;
	}
	sys_close(ends[0]);
	sys_close(ends[1]);
	return (long)copied;
}

/* A filter that the process was started with may kill it for a call that it does not expect of its program. */
bool sys_may_copy_directly(void)
{
	static _Atomic int known; /* 1: yes, 2: no */
	int answer = known;
	if (!answer) {
		char status[4096];
		const char *line =
				sys_read_file("/proc/self/status", status, sizeof(status)) > 0 ? strstr(status, "\nSeccomp:") : NULL;
		answer = line && !strstr(line, "\nSeccomp:\t0") ? 2 : 1;
		known = answer;
	}
	return answer == 1;
}

long sys_copy_memory(void *to, const void *from, size_t size)
{
	if (!sys_may_copy_directly())
		return copy_through_pipe(to, from, size);
	union {
		const void *constant;
		void *plain;
	} remote_base = { from };
	struct iovec local = { to, size }, remote = { remote_base.plain, size };
	long copied = sys6(SYS_process_vm_readv, sys_getpid(), (long)&local, 1, (long)&remote, 1, 0);
	if (copied >= 0)
		return copied;
	if (copied == -EFAULT)
		return 0;
	return copy_through_pipe(to, from, size);
}

long sys_read_file(const char *path, char *to, size_t size)
{
	int fd = sys_open(path, O_RDONLY);
	if (fd < 0)
		return fd;
	size_t used = 0;
	long got = 0;
	while (used + 1 < size) {
		got = sys_read(fd, to + used, size - 1 - used);
		if (got == -EINTR)
			continue;
		if (got <= 0)
			break;
		used += (size_t)got;
	}
	sys_close(fd);
	to[used] = '\0';
	return got < 0 && used == 0 ? got : (long)used;
}
