/* lineage.c - asking the environment and the parent. */
#include "runtime/lineage.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "runtime/address.h"
#include "runtime/shared/own_libc.h"
#include "runtime/shared/sys.h"

#define RUN_VARIABLE "CPPROF_RUN_PID="

/* The process that `cpprof run` became; 0 = there is none. */
static int run_pid(void)
{
	size_t length = strlen(RUN_VARIABLE);
	for (char **variable = environ; variable && *variable; variable++) {
		if (strncmp(*variable, RUN_VARIABLE, length) != 0)
			continue;
		int pid = 0;
		for (const char *digit = *variable + length; *digit >= '0' && *digit <= '9' && pid < 1 << 24; digit++)
			pid = pid * 10 + (*digit - '0');
		return pid;
	}
	return 0;
}

bool lineage_is_run_target(void)
{
	return run_pid() == sys_getpid();
}

bool lineage_is_child_program(void)
{
	int run = run_pid();
	return run ? run != sys_getpid() : lineage_parent_is_profiled();
}

static bool answers(int pid)
{
	struct address address;
	address_of_process(pid, 0, &address);
	int fd = (int)sys3(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	long connected = sys3(SYS_connect, fd, (long)&address.any, (long)address.length);
	sys_close(fd);
	return connected >= 0;
}

/* It may not have begun to serve; then what it has mapped tells. */
static bool has_mapped_us(int pid)
{
	static const char name[] = "/libcpprof.so";
	char path[40], text[1024];
	own_snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	int fd = sys_open(path, O_RDONLY);
	if (fd < 0)
		return false;
	bool found = false;
	size_t kept = 0;
	for (long got; !found && (got = sys_read(fd, text + kept, sizeof(text) - kept)) > 0;) {
		size_t length = kept + (size_t)got;
		found = memmem(text, length, name, sizeof(name) - 1) != NULL;
		kept = length < sizeof(name) - 2 ? length : sizeof(name) - 2; /* it may be cut in two */
		memmove(text, text + length - kept, kept);
	}
	sys_close(fd);
	return found;
}

bool lineage_parent_is_profiled(void)
{
	int parent = (int)sys3(SYS_getppid, 0, 0, 0);
	return parent > 1 && (answers(parent) || has_mapped_us(parent));
}
