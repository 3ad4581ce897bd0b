/* ps.c - `cpprof ps`: a table of the processes that can be asked.
 *
 * What is not in the sockets' list comes from /proc. The address is that of the listening sockets which the process's service
 * thread (named cpprof, with descriptors of its own) has: /proc/PID/task/TID/fd names their inodes, /proc/PID/net/tcp theirs.
 */
#include "cli/ps.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/out.h"
#include "base/xalloc.h"
#include "cli/flags.h"
#include "cli/messages.h"
#include "cli/usage.h"
#include "fetch/process.h"

#define STATUS_NONE 1
#define STATUS_UNUSABLE 2
#define THREAD_NAME "cpprof"
#define INODES_MAX 64

struct row {
	int pid;
	char name[64];
	char age[24], size[24], threads[24], address[160];
};

/* The whole file, "" if it cannot be read. */
static void read_small(char *to, size_t size, const char *path)
{
	FILE *file = fopen(path, "re");
	size_t got = file ? fread(to, 1, size - 1, file) : 0;
	to[got] = '\0';
	if (file)
		fclose(file);
}

/* --- age, memory, threads --------------------------------------------------------------------------------------------- */

/* 17s, 4m05s, 3h12m, 9d04h */
static void format_age(char *to, size_t size, int64_t seconds)
{
	int64_t minutes = seconds / 60, hours = minutes / 60, days = hours / 24;
	if (minutes == 0)
		snprintf(to, size, "%" PRId64 "s", seconds);
	else if (hours == 0)
		snprintf(to, size, "%" PRId64 "m%02ds", minutes, (int)(seconds % 60));
	else if (days == 0)
		snprintf(to, size, "%" PRId64 "h%02dm", hours, (int)(minutes % 60));
	else
		snprintf(to, size, "%" PRId64 "d%02dh", days, (int)(hours % 24));
}

static void read_age(struct row *row)
{
	char path[64], text[1024];
	unsigned long long start = 0;
	struct timespec now;
	snprintf(path, sizeof(path), "/proc/%d/stat", row->pid);
	read_small(text, sizeof(text), path);
	const char *behind = strrchr(text, ')'); /* the name may hold anything */
	/* Field 22; the one behind the name is the third. proc(5) */
	if (!behind ||
	    sscanf(behind + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
	           &start) != 1)
		return;
	clock_gettime(CLOCK_BOOTTIME, &now);
	int64_t age = now.tv_sec - (int64_t)start / sysconf(_SC_CLK_TCK);
	format_age(row->age, sizeof(row->age), age < 0 ? 0 : age);
}

static long number_behind(const char *text, const char *key)
{
	const char *found = strstr(text, key);
	return found ? strtol(found + strlen(key), NULL, 10) : -1;
}

static void read_status(struct row *row)
{
	char path[64], text[4096];
	snprintf(path, sizeof(path), "/proc/%d/status", row->pid);
	read_small(text, sizeof(text), path);
	long kilobytes = number_behind(text, "\nVmRSS:"), threads = number_behind(text, "\nThreads:");
	if (kilobytes >= 0)
		snprintf(row->size, sizeof(row->size), "%.1fMB", (double)kilobytes / 1024);
	if (threads > 0)
		snprintf(row->threads, sizeof(row->threads), "%ld", threads - 1); /* without ours */
}

/* --- the address ------------------------------------------------------------------------------------------------------ */

struct inodes {
	unsigned long at[INODES_MAX];
	size_t count;
};

static void collect_inodes(const char *directory, struct inodes *inodes)
{
	DIR *listing = opendir(directory);
	struct dirent *entry;
	while (listing && (entry = readdir(listing)) && inodes->count < INODES_MAX) {
		char path[768], target[64];
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		ssize_t length = readlink(path, target, sizeof(target) - 1);
		if (length <= 0)
			continue;
		target[length] = '\0';
		if (sscanf(target, "socket:[%lu]", &inodes->at[inodes->count]) == 1)
			inodes->count++;
	}
	if (listing)
		closedir(listing);
}

/* The sockets of the service thread. */
static void service_inodes(int pid, struct inodes *ret_inodes)
{
	char tasks[64];
	*ret_inodes = (struct inodes){ 0 };
	snprintf(tasks, sizeof(tasks), "/proc/%d/task", pid);
	DIR *listing = opendir(tasks);
	struct dirent *entry;
	while (listing && (entry = readdir(listing))) {
		char path[384], name[32];
		snprintf(path, sizeof(path), "%s/%s/comm", tasks, entry->d_name);
		read_small(name, sizeof(name), path);
		snprintf(path, sizeof(path), "%s/%s/fd", tasks, entry->d_name);
		if (strcmp(name, THREAD_NAME "\n") == 0 && strcmp(entry->d_name, ".") != 0)
			collect_inodes(path, ret_inodes);
	}
	if (listing)
		closedir(listing);
}

static bool has_inode(const struct inodes *inodes, unsigned long inode)
{
	for (size_t i = 0; i < inodes->count; i++)
		if (inodes->at[i] == inode)
			return true;
	return false;
}

/* "0100007F:2537": each word of the address in the machine's byte order. proc(5) */
static void format_address(const char *hex, char *to, size_t size)
{
	uint32_t words[4] = { 0 };
	unsigned port = 0;
	char text[INET6_ADDRSTRLEN] = "";
	bool v6 = strcspn(hex, ":") == 32;
	for (size_t i = 0; i < (v6 ? 4u : 1u); i++)
		sscanf(hex + 8 * i, "%8" SCNx32, &words[i]);
	sscanf(hex + (v6 ? 32 : 8), ":%x", &port);
	inet_ntop(v6 ? AF_INET6 : AF_INET, words, text, sizeof(text));
	snprintf(to, size, v6 ? "[%s]:%u" : "%s:%u", text, port);
}

/* The first listening socket of these inodes in a table like /proc/net/tcp. */
static bool find_tcp(int pid, const char *table, const struct inodes *inodes, struct row *row)
{
	char path[64], line[512];
	bool found = false;
	snprintf(path, sizeof(path), "/proc/%d/net/%s", pid, table);
	FILE *file = fopen(path, "re");
	while (file && !found && fgets(line, sizeof(line), file)) {
		char local[64];
		unsigned state;
		unsigned long inode;
		if (sscanf(line, " %*u: %63s %*s %x %*s %*s %*s %*s %*s %lu", local, &state, &inode) != 3)
			continue;
		found = state == 0x0A && has_inode(inodes, inode); /* TCP_LISTEN */
		if (found)
			format_address(local, row->address, sizeof(row->address));
	}
	if (file)
		fclose(file);
	return found;
}

/* A unix socket with a file. */
static bool find_unix(int pid, const struct inodes *inodes, struct row *row)
{
	char path[64], line[512];
	bool found = false;
	snprintf(path, sizeof(path), "/proc/%d/net/unix", pid);
	FILE *file = fopen(path, "re");
	while (file && !found && fgets(line, sizeof(line), file)) {
		char name[128];
		unsigned long inode;
		found = sscanf(line, "%*s %*s %*s %*s %*s %*s %lu %127s", &inode, name) == 2 && *name == '/' &&
		        has_inode(inodes, inode);
		if (found)
			snprintf(row->address, sizeof(row->address), "unix:%s", name);
	}
	if (file)
		fclose(file);
	return found;
}

static void read_address(struct row *row)
{
	struct inodes inodes;
	service_inodes(row->pid, &inodes);
	if (!find_tcp(row->pid, "tcp", &inodes, row) && !find_tcp(row->pid, "tcp6", &inodes, row))
		find_unix(row->pid, &inodes, row);
}

/* --- the table -------------------------------------------------------------------------------------------------------- */

static struct row row_of(const struct served_process *process)
{
	struct row row = { .pid = process->pid, .age = "-", .size = "-", .threads = "-", .address = "-" };
	memcpy(row.name, process->name, sizeof(row.name));
	for (char *c = row.name; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7F)
			*c = '?';
	read_age(&row);
	read_status(&row);
	read_address(&row);
	return row;
}

static int print_help(void)
{
	struct buffer text;
	buffer_init(&text, BUFFER_UNLIMITED);
	usage_append_ps(&text);
	message_line(NULL, buffer_text(&text));
	buffer_release(&text);
	return EXIT_SUCCESS;
}

static int print_rows(const struct served_process *processes, size_t count)
{
	struct out out;
	struct error err;
	size_t shown = 0;
	out_init_fd(&out, STDOUT_FILENO);
	for (size_t i = 0; i < count; i++) {
		if (!served_process_is_ours(&processes[i]))
			continue;
		struct row row = row_of(&processes[i]);
		if (shown++ == 0)
			out_printf(&out, "%7s  %-16s %8s %10s %7s  %s\n", "PID", "NAME", "AGE", "RSS", "THREADS", "ADDRESS");
		out_printf(&out, "%7d  %-16s %8s %10s %7s  %s\n", row.pid, row.name, row.age, row.size, row.threads,
		           row.address);
	}
	if (out_close(&out, &err) != STATUS_OK) {
		message_failure(&err);
		return STATUS_UNUSABLE;
	}
	if (shown > 0)
		return EXIT_SUCCESS;
	message_line(
			NULL,
			count > shown
					? "cpprof: no process of yours carries libcpprof (there are others': try as root); start one by "
					  "`cpprof run -- PROGRAM`"
					: "cpprof: no process carries libcpprof; start one by `cpprof run -- PROGRAM`");
	return STATUS_NONE;
}

int ps_print(int argc, char **argv)
{
	struct flag_set set;
	struct error err;
	int first = 0;
	flag_set_init(&set);
	enum status status = flag_set_parse(&set, argc, argv, &first, &err);
	flag_set_release(&set);
	if (status == STATUS_NOT_FOUND)
		return print_help();
	if (status == STATUS_OK && first < argc)
		status = error_set(&err, STATUS_INVALID, "ps takes no arguments");
	if (status != STATUS_OK) {
		message_failure(&err);
		return STATUS_UNUSABLE;
	}
	struct served_process *processes;
	size_t count = served_processes(&processes);
	int exit_status = print_rows(processes, count);
	free(processes);
	return exit_status;
}
