/* helper.c - whether a helper may be started, and one conversation with it. The protocol is in docs/names.md.
 *
 * Not here: how it is started (helper_spawn.c), and the reading of its answer (helper_answer.c).
 */
#include "runtime/collect/helper.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "runtime/collect/helper_answer.h"
#include "runtime/collect/helper_spawn.h"
#include "runtime/shared/own_libc.h"
#include "runtime/shared/region.h"
#include "runtime/shared/settings.h"
#include "runtime/shared/sys.h"

#define TIME_LIMIT_NS \
	((uint64_t)4 * 1000 * 1000 * 1000) /* nobody is served meanwhile, and scrapers wait for ten seconds */
#define PAUSE_AFTER_FAILURE_NS ((uint64_t)60 * 1000 * 1000 * 1000)
#define REQUEST_MAX ((size_t)64 * 1024 * 1024)
#define ANSWER_MAX ((size_t)64 * 1024 * 1024)
#define ANSWER_PER_ADDRESS ((size_t)8 * 1024) /* most need 200 bytes; room that is not used costs nothing */
#define STATUS_SIZE 4096

static const char *_Atomic why_no_lines;
/* CLOCK_MONOTONIC before which no other is started: one that hung or crashed would do so again. */
static _Atomic uint64_t pause_until;

const char *names_why_no_lines(void)
{
	return atomic_load_explicit(&why_no_lines, memory_order_relaxed);
}

static bool refuse(const char *why)
{
	atomic_store_explicit(&why_no_lines, why, memory_order_relaxed);
	return false;
}

/* --- whether ------------------------------------------------------------------------------------------------------- */

/* The number behind "\nSeccomp:" and the like in /proc/.../status; -1 = cannot be had. */
static long status_number(const char *status, const char *field)
{
	const char *at = strstr(status, field);
	if (!at)
		return -1;
	long value = 0;
	for (at += strlen(field); *at == ' ' || *at == '\t';)
		at++;
	for (; *at >= '0' && *at <= '9' && value < 1000000; at++)
		value = value * 10 + (*at - '0');
	return value;
}

/* A filter of system calls that the whole container has (process 1 has as many) was made for programs that start others, and
 * refuses what it does not know. Any other, the program's own or its service's, may kill for a call that it does not expect. */
static bool is_filtered(void)
{
	char *status = work_alloc(STATUS_SIZE), *first = work_alloc(STATUS_SIZE);
	if (sys_read_file("/proc/thread-self/status", status, STATUS_SIZE) <= 0)
		return true;
	long mode = status_number(status, "\nSeccomp:"), filters = status_number(status, "\nSeccomp_filters:");
	if (mode <= 0)
		return false;
	return mode != 2 || filters < 0 || sys_read_file("/proc/1/status", first, STATUS_SIZE) <= 0 ||
	       filters != status_number(first, "\nSeccomp_filters:");
}

/* Orphans come back to whoever reaps for us: that must not be ourselves, who would get a SIGCHLD. */
static bool is_reaper(void)
{
	int subreaper = 0;
	return sys_getpid() == 1 ||
	       (sys6(SYS_prctl, PR_GET_CHILD_SUBREAPER, (long)&subreaper, 0, 0, 0, 0) == 0 && subreaper);
}

static bool may_start(void)
{
	if (settings.helper_off)
		return refuse("CPPROF_DISABLE has helper");
	if (is_reaper())
		return refuse("this process reaps orphans, a helper would be noticed");
	if (is_filtered())
		return refuse("system calls are filtered, or /proc cannot be read: a helper may not be safe");
	if (monotonic_ns() < atomic_load_explicit(&pause_until, memory_order_relaxed))
		return false; /* the reason stands */
	return true;
}

/* --- which program -------------------------------------------------------------------------------------------------- */

static uint32_t own_id(long call)
{
	return (uint32_t)sys3(call, 0, 0, 0);
}

/* A program that somebody else can change would act in our name. */
static bool is_trusted(const struct stat *facts)
{
	uint32_t user = own_id(SYS_geteuid), group = own_id(SYS_getegid);
	return S_ISREG(facts->st_mode) && (facts->st_mode & 0111) && (facts->st_uid == 0 || facts->st_uid == user) &&
	       !(facts->st_mode & S_IWOTH) && (!(facts->st_mode & S_IWGRP) || facts->st_gid == 0 || facts->st_gid == group);
}

/* The descriptor is what will be executed: nobody can exchange the file meanwhile. */
static int open_program(const char *path)
{
	struct stat facts;
	int fd = sys_open(path, O_PATH);
	if (fd < 0)
		return fd;
	if (sys3(SYS_fstat, fd, (long)&facts, 0) < 0 || !is_trusted(&facts)) {
		sys_close(fd);
		return -EPERM;
	}
	return fd;
}

/* "/usr/lib/x86_64-linux-gnu/libcpprof.so.0" and "up" 2: "/usr/" + tail. */
static int open_beside(const char *library, int up, const char *tail)
{
	char path[1024];
	size_t length = strlen(library);
	for (int cut = 0; cut <= up; cut++) {
		while (length && library[length - 1] != '/')
			length--;
		if (length && cut < up)
			length--;
	}
	if (!length || own_snprintf(path, sizeof(path), "%.*s%s", (int)length, library, tail) >= (int)sizeof(path))
		return -ENOENT;
	return open_program(path);
}

static int find_program(const struct module_list *list)
{
	union {
		bool (*function)(const struct module_list *, struct helper_query *, size_t);
		uintptr_t address;
	} own = { helper_ask };
	if (settings.helper[0])
		return open_program(settings.helper);
	const struct module *library = modules_find(list, own.address);
	int fd = -ENOENT;
	if (library && library->path[0] == '/' && !library->is_main) {
		fd = open_beside(library->path, 1, "bin/cpprof");
		if (fd < 0)
			fd = open_beside(library->path, 2, "bin/cpprof"); /* of lib/x86_64-linux-gnu */
	}
	/* Linked into the program: where it is installed. */
	if (fd < 0)
		fd = open_program("/usr/local/bin/cpprof");
	return fd < 0 ? open_program("/usr/bin/cpprof") : fd;
}

/* --- the conversation ----------------------------------------------------------------------------------------------- */

static bool append_module(struct buffer *to, const struct module *module)
{
	char own_file[64];
	const char *path = module->path;
	if (module->deleted && module->is_main) {
		own_snprintf(own_file, sizeof(own_file), "/proc/%d/task/%d/exe", sys_getpid(), sys_gettid());
		path = own_file;
	}
	if ((module->deleted && !module->build_id[0]) || strchr(path, '\n'))
		return false;
	buffer_printf(to, "m %lx %lx %lx %s %s\n", module->start, module->limit, module->offset,
	              module->build_id[0] ? module->build_id : "-", path);
	return true;
}

static void write_request(struct buffer *to, const struct helper_query *queries, size_t count)
{
	const struct module *module = NULL;
	bool asked = false;
	buffer_append_text(to, HELPER_GREETING);
	for (size_t i = 0; i < count; i++) {
		if (queries[i].module != module)
			asked = append_module(to, queries[i].module);
		module = queries[i].module;
		if (asked)
			buffer_printf(to, "a %lx\n", queries[i].address);
	}
}

/* Waits until the socket is ready; false when the time is over. */
static bool wait_for(int socket, short events, uint64_t deadline)
{
	for (;;) {
		uint64_t now = monotonic_ns();
		if (now >= deadline)
			return false;
		struct pollfd one = { .fd = socket, .events = events };
		long ready = sys3(SYS_poll, (long)&one, 1, (long)((deadline - now) / 1000000 + 1));
		if (ready > 0)
			return true;
		if (ready < 0 && ready != -EINTR)
			return false;
	}
}

static bool send_request(int socket, struct str request, uint64_t deadline)
{
	for (size_t sent = 0; sent < request.length;) {
		long done = sys6(SYS_sendto, socket, (long)(request.data + sent), (long)(request.length - sent),
		                 MSG_NOSIGNAL | MSG_DONTWAIT, 0, 0);
		if (done > 0)
			sent += (size_t)done;
		else if ((done != -EAGAIN && done != -EINTR) || !wait_for(socket, POLLOUT, deadline))
			return false;
	}
	return sys3(SYS_shutdown, socket, SHUT_WR, 0) == 0;
}

/* Up to the end; the room was made before. */
static bool receive_answer(int socket, char *to, size_t room, size_t *ret_length, uint64_t deadline)
{
	for (*ret_length = 0;;) {
		long got = sys6(SYS_recvfrom, socket, (long)(to + *ret_length), (long)(room - *ret_length), MSG_DONTWAIT, 0, 0);
		if (got == 0)
			return true;
		if (got > 0)
			*ret_length += (size_t)got;
		else if ((got != -EAGAIN && got != -EINTR) || !wait_for(socket, POLLIN, deadline))
			return false;
		if (*ret_length == room)
			return false;
	}
}

/* Only the helper holds the other end: while that is open, the pid is the helper's and nobody else's. */
static void kill_helper(int pidfd, int socket)
{
	struct pollfd one = { .fd = socket };
	sys3(SYS_poll, (long)&one, 1, 0);
	if (pidfd >= 0 && !(one.revents & POLLHUP))
		sys4(SYS_pidfd_send_signal, pidfd, SIGKILL, 0, 0);
}

static bool converse(int socket, int pid, struct str request, char *answer, size_t room, size_t *ret_length)
{
	uint64_t deadline = monotonic_ns() + TIME_LIMIT_NS;
	int pidfd = (int)sys3(SYS_pidfd_open, pid, 0, 0);
	bool done = send_request(socket, request, deadline) && receive_answer(socket, answer, room, ret_length, deadline);
	if (!done)
		kill_helper(pidfd, socket);
	if (pidfd >= 0)
		sys_close(pidfd);
	return done;
}

/* Between the first descriptor and the last, no memory is asked for: running out of it would leave them open. */
static const char *run_helper(int program, struct str request, unsigned char *stack, char *answer, size_t room,
                              size_t *ret_length)
{
	static const char *const arguments[] = { "cpprof", "--name-addresses", NULL };
	static const char *const environment[] = { "PATH=/usr/local/bin:/usr/bin:/bin", NULL };
	int ends[2];
	if (sys4(SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, (long)ends) < 0)
		return "no sockets for a helper";
	struct helper_launch launch = {
		.program = program,
		.socket = ends[1],
		.arguments = arguments,
		.environment = environment,
	};
	int failed = helper_spawn(&launch, stack);
	sys_close(ends[1]);
	bool done = !failed && converse(ends[0], launch.pid, request, answer, room, ret_length);
	sys_close(ends[0]);
	return failed ? "the helper could not be started" : done ? NULL : "the helper failed, or took too long";
}

bool helper_ask(const struct module_list *list, struct helper_query *queries, size_t count)
{
	struct buffer request;
	if (!may_start())
		return false;
	buffer_init(&request, REQUEST_MAX);
	write_request(&request, queries, count);
	size_t room = count < ANSWER_MAX / ANSWER_PER_ADDRESS ? (count + 8) * ANSWER_PER_ADDRESS : ANSWER_MAX, length = 0;
	char *answer = work_alloc(room);
	unsigned char *stack = work_alloc(HELPER_STACK_SIZE);
	int program = find_program(list);
	if (program < 0)
		return refuse(program == -EPERM ? "the cpprof program could be changed by others, it is not run as a helper"
		                                : "the cpprof program is not where it is looked for (CPPROF_HELPER)");
	const char *failure = run_helper(program, buffer_str(&request), stack, answer, room, &length);
	sys_close(program);
	if (!failure && !helper_answer_read(answer, length, queries, count))
		failure = "the helper's answer was not understood";
	if (failure)
		atomic_store_explicit(&pause_until, monotonic_ns() + PAUSE_AFTER_FAILURE_NS, memory_order_relaxed);
	refuse(failure);
	return !failure;
}
