/* api.c - the public functions of cpprof.h. They run in threads of the host, which may be anywhere in its own life: each makes
 * sure first that the library is up, and that this is no fork child which does not know it yet.
 */
#include <cpprof.h>

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>

#include "runtime/life.h"
#include "runtime/serve/endpoints.h"
#include "runtime/serve/server.h"
#include "runtime/shared/process.h"
#include "runtime/shared/settings.h"
#include "runtime/shared/sys.h"

#define PUBLIC __attribute__((visibility("default")))

#define TEXT_OF(token) #token
#define VERSION_TEXT(major, minor) TEXT_OF(major) "." TEXT_OF(minor) ".0"

/* False: CPPROF_DISABLE=all. */
static bool begin(void)
{
	settings_read();
	if (settings.disabled)
		return false;
	process_init();
	process_check();
	return true;
}

PUBLIC int cpprof_serve(const char *address)
{
	return begin() ? life_serve(address, NULL, 0) : 0;
}

PUBLIC size_t cpprof_address(char *to, size_t size)
{
	const char *address = begin() ? life_address() : "";
	size_t length = strlen(address), kept = length;
	if (size == 0)
		return length;
	if (kept >= size)
		kept = size - 1;
	memcpy(to, address, kept);
	to[kept] = '\0';
	return length;
}

PUBLIC int cpprof_http(int fd)
{
	return begin() ? server_one(fd) : 0;
}

static void wait_writable(int fd)
{
	struct pollfd wanted = { fd, POLLOUT, 0 };
	sys3(SYS_poll, (long)&wanted, 1, -1);
}

/* As write(2) does, SIGPIPE included: it is the caller's descriptor. */
static int write_all(int fd, const char *bytes, size_t length)
{
	while (length) {
		long written = sys_write(fd, bytes, length);
		if (written == -EAGAIN) {
			wait_writable(fd);
		} else if (written > 0) {
			bytes += written;
			length -= (size_t)written;
		} else if (written != -EINTR) {
			return written ? (int)written : -EIO;
		}
	}
	return 0;
}

PUBLIC int cpprof_write(const char *profile, int fd, int debug)
{
	struct reply reply;
	const struct profile_name *known = profile ? profile_find(str_of(profile)) : NULL;
	if (!begin())
		return 0;
	if (!known)
		return -ENOENT;
	if (!endpoint_profile(known, debug, &reply))
		return -ENOMEM;
	int result = write_all(fd, reply.bytes, reply.length);
	reply_release(&reply);
	return result;
}

PUBLIC const char *cpprof_version(void)
{
	return VERSION_TEXT(CPPROF_VERSION_MAJOR, CPPROF_VERSION_MINOR);
}
