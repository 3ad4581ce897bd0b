/* process.c - finding the processes that carry the library, by their abstract sockets.
 *
 * The kernel lists the sockets in /proc/net/unix. A name is only a hint at the pid, since the process may live in another pid
 * namespace: who listens is asked for with SO_PEERCRED, which answers in our own numbers.
 */
#include "fetch/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/xalloc.h"

#define SOCKET_PREFIX "@cpprof/"
#define SCHEME "pid"
#define BASE_PATH "debug/pprof/"

/* Who listens at the abstract address; false if nobody does. */
static bool ask_peer(const char *socket_name, struct served_process *ret_process)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(socket_name);
	if (length == 0 || length >= sizeof(address.sun_path) || length >= sizeof(ret_process->socket))
		return false;
	memcpy(address.sun_path + 1, socket_name, length);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);
	socklen_t address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
	bool found = connect(fd, (const struct sockaddr *)&address, address_length) == 0 &&
	             getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid > 0;
	close(fd);
	if (found) {
		*ret_process = (struct served_process){ .pid = peer.pid, .uid = peer.uid };
		memcpy(ret_process->socket, socket_name, length + 1);
	}
	return found;
}

static void read_name(struct served_process *process)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/comm", process->pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return;
	if (fgets(process->name, sizeof(process->name), file))
		process->name[strcspn(process->name, "\n")] = '\0';
	fclose(file);
}

static int compare_processes(const void *one, const void *two)
{
	const struct served_process *a = one, *b = two;
	return (a->pid > b->pid) - (a->pid < b->pid);
}

/* A process may be met twice: after a fork its child may listen at a name of its own before the list is read. */
static size_t sort_and_unite(struct served_process *processes, size_t count)
{
	size_t kept = 0;
	if (count > 1)
		qsort(processes, count, sizeof(*processes), compare_processes);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || processes[kept - 1].pid != processes[i].pid)
			processes[kept++] = processes[i];
	return kept;
}

/* The path of a line of /proc/net/unix if it is a listening socket of ours, else NULL; the line is cut. */
static const char *socket_of_line(char *line)
{
	unsigned flags;
	char *name = strstr(line, " " SOCKET_PREFIX);
	if (!name || sscanf(line, "%*s %*s %*s %x", &flags) != 1 || !(flags & 0x10000)) /* __SO_ACCEPTCON */
		return NULL;
	name += 2; /* the blank, and the '@' that stands for the zero */
	name[strcspn(name, "\n")] = '\0';
	return name;
}

size_t served_processes(struct served_process **ret_processes)
{
	struct served_process *processes = NULL;
	size_t count = 0, capacity = 0, line_size = 0;
	char *line = NULL;
	FILE *file = fopen("/proc/net/unix", "re");
	while (file && getline(&line, &line_size, file) > 0) {
		const char *name = socket_of_line(line);
		struct served_process process;
		if (!name || !ask_peer(name, &process))
			continue;
		read_name(&process);
		processes = xgrow(processes, count, &capacity, sizeof(*processes));
		processes[count++] = process;
	}
	free(line);
	if (file)
		fclose(file);
	*ret_processes = processes;
	return sort_and_unite(processes, count);
}

bool served_process_is_ours(const struct served_process *process)
{
	return geteuid() == 0 || process->uid == geteuid();
}

/* --- sources ---------------------------------------------------------------------------------------------------------- */

/* What stands between the prefix and the first '/'; *ret_rest is behind it. */
static struct str cut_source(const char *source, const char *prefix, const char **ret_rest)
{
	const char *start = source + strlen(prefix);
	size_t length = strcspn(start, "/?");
	*ret_rest = start + length + (start[length] == '/');
	return (struct str){ start, length };
}

static bool has_prefix(const char *source, const char *prefix)
{
	return strncmp(source, prefix, strlen(prefix)) == 0 && strncmp(source + strlen(prefix), "//", 2) != 0;
}

bool process_source_is(const char *source)
{
	return has_prefix(source, "pid:") || has_prefix(source, "name:");
}

char **process_sources_expand(const char *source)
{
	char **sources = xcalloc(2, sizeof(*sources));
	size_t used = 0, capacity = 2, count = 0;
	struct served_process *processes = NULL;
	const char *rest = "";
	struct str name = STR_LITERAL("");
	if (has_prefix(source, "name:") && access(source, F_OK) != 0) {
		name = cut_source(source, "name:", &rest);
		count = served_processes(&processes);
	}
	for (size_t i = 0; i < count; i++) {
		if (!str_equal(str_of(processes[i].name), name) || !served_process_is_ours(&processes[i]))
			continue;
		sources = xgrow(sources, used + 1, &capacity, sizeof(*sources));
		sources[used++] = xasprintf("pid:%d%s%s", processes[i].pid, *rest == '?' ? "" : "/", rest);
	}
	if (used == 0)
		sources[used++] = xstrdup(source);
	sources[used] = NULL;
	free(processes);
	return sources;
}

/* A whole number from 1; 0 for what is none. */
static int pid_of(struct str text)
{
	int64_t pid = 0;
	for (size_t i = 0; i < text.length; i++) {
		if (text.data[i] < '0' || text.data[i] > '9' || pid > INT32_MAX)
			return 0;
		pid = pid * 10 + (text.data[i] - '0');
	}
	return pid > INT32_MAX ? 0 : (int)pid;
}

static bool find_process(int pid, struct served_process *ret_process)
{
	char name[32];
	snprintf(name, sizeof(name), "%s%d", &SOCKET_PREFIX[1], pid);
	if (ask_peer(name, ret_process) && ret_process->pid == pid) {
		read_name(ret_process);
		return true;
	}
	struct served_process *processes;
	size_t count = served_processes(&processes);
	bool found = false;
	for (size_t i = 0; i < count && !found; i++) {
		found = processes[i].pid == pid;
		if (found)
			*ret_process = processes[i];
	}
	free(processes);
	return found;
}

/* Whether the process has mapped the library; negative: we may not look. */
static int carries_library(int pid)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	FILE *file = fopen(path, "re");
	int found = file ? 0 : -1;
	char *line = NULL;
	size_t size = 0;
	while (file && !found && getline(&line, &size, file) > 0)
		found = strstr(line, "/libcpprof.so") != NULL;
	if (file && !found && ferror(file))
		found = -1;
	free(line);
	if (file)
		fclose(file);
	return found;
}

static bool shares_network(int pid)
{
	char path[64];
	struct stat ours, theirs;
	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	return stat("/proc/self/ns/net", &ours) != 0 || stat(path, &theirs) != 0 || ours.st_ino == theirs.st_ino;
}

static enum status explain_absence(int pid, struct error *err)
{
	struct served_process process = { .pid = pid };
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d", pid);
	if (access(path, F_OK) != 0)
		return error_set(err, STATUS_NOT_FOUND, "there is no such process; `cpprof ps` lists those that can be asked");
	read_name(&process);
	int carries = carries_library(pid);
	if (carries < 0)
		return error_set(err, STATUS_NOT_FOUND, "%s does not serve profiles here, and may not be looked into%s",
		                 process.name, geteuid() == 0 ? "" : ": try as root");
	if (!carries)
		return error_set(err, STATUS_NOT_FOUND,
		                 "%s does not carry libcpprof: start it by `cpprof run -- COMMAND`, or link it with -lcpprof",
		                 process.name);
	if (!shares_network(pid))
		return error_set(err, STATUS_NOT_FOUND,
		                 "%s serves in another network namespace: `nsenter -t %d -n cpprof ...` reaches it",
		                 process.name, pid);
	return error_set(
			err, STATUS_NOT_FOUND,
			"%s carries libcpprof but does not serve: it has not waited yet, or has installed a system call filter",
			process.name);
}

/* "heap", "debug/pprof/heap", "" → the path and query on the server. */
static char *url_of(int pid, const char *rest)
{
	bool is_whole = strncmp(rest, BASE_PATH, strlen(BASE_PATH)) == 0;
	bool has_path = *rest && *rest != '?';
	return xasprintf(SCHEME "://%d%s%s%s", pid, has_path ? "/" : "", has_path && !is_whole ? BASE_PATH : "", rest);
}

enum status process_source_url(const char *source, struct url *ret_url, struct error *err)
{
	const char *rest;
	if (has_prefix(source, "name:"))
		return error_set(err, STATUS_NOT_FOUND,
		                 "no process of that name can be asked; `cpprof ps` lists those that can");
	int pid = pid_of(cut_source(source, "pid:", &rest));
	struct served_process process;
	if (pid == 0)
		return error_set(err, STATUS_INVALID, "this is no process id: write pid:1234/heap");
	if (!find_process(pid, &process))
		return explain_absence(pid, err);
	if (!served_process_is_ours(&process))
		return error_set(err, STATUS_NOT_FOUND, "permission denied: %s belongs to another user; try as root",
		                 process.name);
	char *text = url_of(pid, rest);
	bool good = url_parse(str_of(text), ret_url);
	free(text);
	return good ? STATUS_OK : error_set(err, STATUS_INVALID, "this is no path: write pid:1234/heap");
}

bool process_url_is(const struct url *url)
{
	return strcmp(url->scheme, SCHEME) == 0;
}

char *process_url_socket(const struct url *url)
{
	struct served_process process;
	int pid = pid_of(str_of(url->host));
	return pid && find_process(pid, &process) ? xstrdup(process.socket) : NULL;
}
