/* sys.h - system calls without libc: no errno, no cancellation point, no wrapper of ours in between.
 *
 * Everything that the runtime does for itself goes through here, so that it works in a signal handler, inside the
 * host's malloc, and on our service thread, which glibc knows nothing of. A failure is -errno.
 */
#ifndef CPPROF_RUNTIME_SHARED_SYS_H
#define CPPROF_RUNTIME_SHARED_SYS_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#ifndef __x86_64__
#error "system calls are written for x86-64 only so far"
#endif

static inline long sys6(long number, long a, long b, long c, long d, long e, long f)
{
	long result;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
	                 : "rcx", "r11", "memory");
	return result;
}

static inline long sys3(long number, long a, long b, long c)
{
	long result;
	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
}

static inline long sys4(long number, long a, long b, long c, long d)
{
	long result;
	register long r10 __asm__("r10") = d;
	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
	return result;
}

static inline int sys_open(const char *path, int flags)
{
	return (int)sys4(SYS_openat, AT_FDCWD, (long)path, flags | O_CLOEXEC, 0);
}

static inline int sys_openat(int directory, const char *path, int flags)
{
	return (int)sys4(SYS_openat, directory, (long)path, flags | O_CLOEXEC, 0);
}

static inline void sys_close(int fd)
{
	sys3(SYS_close, fd, 0, 0);
}

static inline long sys_read(int fd, void *to, size_t size)
{
	return sys3(SYS_read, fd, (long)to, (long)size);
}

static inline long sys_pread(int fd, void *to, size_t size, long offset)
{
	return sys4(SYS_pread64, fd, (long)to, (long)size, offset);
}

static inline long sys_write(int fd, const void *from, size_t size)
{
	return sys3(SYS_write, fd, (long)from, (long)size);
}

static inline int sys_getpid(void)
{
	return (int)sys3(SYS_getpid, 0, 0, 0);
}

static inline int sys_gettid(void)
{
	return (int)sys3(SYS_gettid, 0, 0, 0);
}

/* All signals of the calling thread blocked, the former mask kept: around the critical sections of hooks, so that
 * no handler of the host can run, and longjmp away, while a lock of ours is held. */
static inline void sys_block_signals(uint64_t *ret_old)
{
	uint64_t all = ~(uint64_t)0;
	sys4(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)ret_old, sizeof(all));
}

static inline void sys_restore_signals(const uint64_t *old)
{
	sys4(SYS_rt_sigprocmask, SIG_SETMASK, (long)old, 0, sizeof(*old));
}

/* The kernel's clocks through the vDSO, where libc's clock_gettime() is safe everywhere. */
static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint64_t monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* False in a process under a filter of system calls: process_vm_readv is not to be tried there. */
bool sys_may_copy_directly(void);

/* Copies memory of our own process that may be unmapped meanwhile: the number of bytes copied (it stops at the
 * first page that is not there), or -errno where the kernel refuses altogether. */
long sys_copy_memory(void *to, const void *from, size_t size);

/* Whole small file (of /proc, say) into *to, at most size - 1 bytes, followed by a zero byte. The length or -errno. */
long sys_read_file(const char *path, char *to, size_t size);

#endif
