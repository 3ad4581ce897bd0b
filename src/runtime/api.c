/* api.c - the public functions of cpprof.h. They run in threads of the host, which may be anywhere in its own life: each makes
 * sure first that the library is up, and that this is no fork child which does not know it yet.
 */
#include <cpprof.h>

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "runtime/api.h"
#include "runtime/collect/cpu.h"
#include "runtime/hooks/lock_names.h"
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

static int write_body(const struct exchange *exchange, int fd)
{
	struct reply reply;
	if (!endpoint_body(exchange, &reply))
		return -ENOMEM;
	int result = write_all(fd, reply.bytes, reply.length);
	reply_release(&reply);
	return result;
}

PUBLIC int cpprof_write(const char *profile, int fd, int debug)
{
	struct exchange exchange = { .route = { .kind = ROUTE_PROFILE, .debug = debug } };
	if (!begin())
		return 0;
	if (profile && strcmp(profile, "profile") == 0)
		return -EINVAL;
	exchange.route.profile = profile ? profile_find(str_of(profile)) : NULL;
	return exchange.route.profile ? write_body(&exchange, fd) : -ENOENT;
}

/* --- the CPU profile ------------------------------------------------------------------------------------------------ */

enum cpu_state {
	CPU_IDLE,
	CPU_STARTING,
	CPU_STARTED,
	CPU_STOPPING,
};

/* One at a time. What is below the state belongs to who has changed it. */
static struct {
	_Atomic int hz; /* 0: never set */
	_Atomic int state;
	struct cpu_session *session;
	int fd;
} cpu;

static bool cpu_changes(int from, int to)
{
	return atomic_compare_exchange_strong(&cpu.state, &from, to);
}

PUBLIC int cpprof_cpu_start(int fd)
{
	struct cpu_wish wish = { .hz = CPU_HZ };
	const char *why;
	if (!begin())
		return 0;
	if (!cpu_changes(CPU_IDLE, CPU_STARTING))
		return -EBUSY;
	if (atomic_load(&cpu.hz))
		wish.hz = atomic_load(&cpu.hz);
	cpu.session = cpu_begin(&wish, &why);
	cpu.fd = fd;
	atomic_store(&cpu.state, cpu.session ? CPU_STARTED : CPU_IDLE);
	return cpu.session ? 0 : -EPERM;
}

PUBLIC int cpprof_cpu_stop(void)
{
	if (!begin())
		return 0;
	if (!cpu_changes(CPU_STARTED, CPU_STOPPING))
		return -ESRCH;
	cpu_end(cpu.session);
	struct exchange exchange = { .route = { .kind = ROUTE_CPU }, .cpu = cpu.session };
	int result = write_body(&exchange, cpu.fd);
	cpu_release(cpu.session);
	cpu.session = NULL;
	atomic_store(&cpu.state, CPU_IDLE);
	return result;
}

PUBLIC int cpprof_cpu_rate(int hz)
{
	if (!begin())
		return 0;
	if (hz == 0 || hz > CPU_HZ_MAX)
		return -EINVAL;
	int former = hz < 0 ? atomic_load(&cpu.hz) : atomic_exchange(&cpu.hz, hz);
	return former ? former : CPU_HZ;
}

void api_forked(void)
{
	/* One that was being begun or stopped was another thread's business, which is not here. */
	if (atomic_load(&cpu.state) == CPU_STARTED)
		cpu_drop(cpu.session);
	cpu.session = NULL;
	atomic_store(&cpu.state, CPU_IDLE);
}

/* --- the rest ------------------------------------------------------------------------------------------------------- */

PUBLIC int cpprof_lock_name(const void *lock, const char *name)
{
	if (!begin())
		return 0;
	return lock ? lock_name_set((uintptr_t)lock, name) : -EINVAL;
}

PUBLIC const char *cpprof_version(void)
{
	return VERSION_TEXT(CPPROF_VERSION_MAJOR, CPPROF_VERSION_MINOR);
}
