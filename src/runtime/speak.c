/* speak.c - lines on standard error. */
#include "runtime/speak.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/lineage.h"
#include "runtime/shared/own_libc.h"
#include "runtime/shared/sys.h"

#define STANDARD_ERROR 2

static struct {
	bool known; /* descriptor 2 was open at start */
	dev_t device;
	ino_t inode;
	_Atomic int said;
} stderr_then;

void speak_begin(void)
{
	struct stat status;
	stderr_then.known = sys3(SYS_fstat, STANDARD_ERROR, (long)&status, 0) >= 0;
	stderr_then.device = status.st_dev;
	stderr_then.inode = status.st_ino;
}

/* A daemon may have closed it, and then got the number for a file of its own, which our words would spoil. */
static bool is_still_there(void)
{
	struct stat status;
	return stderr_then.known && sys3(SYS_fstat, STANDARD_ERROR, (long)&status, 0) >= 0 &&
	       status.st_dev == stderr_then.device && status.st_ino == stderr_then.inode;
}

/* One line, if that is possible at once. Programs that a profiled one executes are silent: their output is often read by
 * others, and the line has been said. */
static void say(const char *line, size_t length)
{
	struct pollfd ready = { STANDARD_ERROR, POLLOUT, 0 };
	struct timespec none = { 0, 0 };
	if (atomic_exchange(&stderr_then.said, 1) || !is_still_there() || lineage_parent_is_profiled())
		return;
	if (sys6(SYS_ppoll, (long)&ready, 1, (long)&none, 0, 0, 0) == 1 && ready.revents == POLLOUT)
		sys_write(STANDARD_ERROR, line, length);
}

static size_t fit(int length, size_t size)
{
	return (size_t)length < size ? (size_t)length : size - 1;
}

void speak_bad_address(const char *text)
{
	char line[512];
	int length =
			own_snprintf(line, sizeof(line),
	                     "cpprof: CPPROF_ADDR=%.200s is no address: use 127.0.0.1:9527, 0.0.0.0:9527, [::1]:9527 or "
	                     "unix:/run/x.sock; serving at the local socket only\n",
	                     text);
	say(line, fit(length, sizeof(line)));
}

void speak_bad_setting(const char *name, const char *text, const char *instead)
{
	char line[512];
	int length = own_snprintf(line, sizeof(line), "cpprof: %s has %.100s: %s\n", name, text, instead);
	say(line, fit(length, sizeof(line)));
}

static const char *reason(int error)
{
	switch (error) {
	case EACCES:
	case EPERM:
		return "permission denied";
	case ENOENT:
		return "no such directory";
	case EAFNOSUPPORT:
		return "no such network here";
	case ENOSPC:
		return "too many addresses";
	default:
		return NULL;
	}
}

void speak_unbound(const char *text, int error)
{
	char line[512];
	const char *words = reason(error);
	int length = own_snprintf(line, sizeof(line), "cpprof: cannot serve at %.200s: %s", text, words ? words : "error ");
	size_t used = fit(length, sizeof(line));
	length = words ? own_snprintf(line + used, sizeof(line) - used, "\n")
	               : own_snprintf(line + used, sizeof(line) - used, "%d\n", error);
	say(line, used + fit(length, sizeof(line) - used));
}

void speak_open(const char *text)
{
	char line[512];
	int length = own_snprintf(line, sizeof(line),
	                          "cpprof: serving /debug/pprof/ on %.200s, open to whoever can reach it\n", text);
	say(line, fit(length, sizeof(line)));
}
