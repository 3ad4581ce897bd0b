/* proc_task.c - reading /proc/self/task, with system calls of our own and no libc. */
#include "runtime/collect/proc_task.h"

#include <errno.h>
#include <string.h>

#include "runtime/shared/own_libc.h"
#include "runtime/shared/region.h"
#include "runtime/shared/sys.h"

#define LISTING_BYTES 32768u
#define FILE_BYTES 256u

/* A directory entry as getdents64(2) has it. */
struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t size;
	uint8_t type;
	char name[];
};

/* What is open now, in the descriptor table of the thread that works: one piece of work at a time. */
static int directory = -1;
static int stop_fds[PROC_STOPS_MAX];
static uint32_t stop_count;

void proc_tasks_close(void)
{
	while (stop_count > 0)
		sys_close(stop_fds[--stop_count]);
	if (directory >= 0)
		sys_close(directory);
	directory = -1;
}

static int read_number(const char *text)
{
	int number = 0;
	for (; *text >= '0' && *text <= '9' && number < 100000000; text++)
		number = number * 10 + (*text - '0');
	return number;
}

static void add_task(struct task_list *list, uint32_t *room, int tid)
{
	if (list->count == *room) {
		uint32_t larger = *room ? *room * 2 : 256;
		int *tids = work_alloc_array(larger, sizeof(*tids));
		if (list->count)
			memcpy(tids, list->tids, list->count * sizeof(*tids));
		list->tids = tids;
		*room = larger;
	}
	list->tids[list->count++] = tid;
}

bool proc_tasks_list(struct task_list *ret_list)
{
	struct task_list list = { NULL, 0 };
	uint32_t room = 0;
	/* What an abandoned piece of work has left is not ours to close any more. */
	stop_count = 0;
	directory = -1;
	char *listing = work_alloc(LISTING_BYTES);
	directory = sys_open("/proc/self/task", O_RDONLY | O_DIRECTORY);
	if (directory < 0)
		return false;
	long size;
	while ((size = sys3(SYS_getdents64, directory, (long)listing, LISTING_BYTES)) > 0) {
		for (long at = 0; at < size;) {
			struct entry *entry = (struct entry *)(void *)(listing + at);
			at += entry->size;
			int tid = read_number(entry->name);
			if (tid > 0)
				add_task(&list, &room, tid);
		}
	}
	*ret_list = list;
	return list.count > 0;
}

uint32_t proc_tasks_count(void)
{
	struct {
		uint64_t device, inode, links;
		uint64_t rest[32];
	} facts;
	memset(&facts, 0, sizeof(facts));
	if (sys4(SYS_newfstatat, AT_FDCWD, (long)"/proc/self/task", (long)&facts, 0) != 0 || facts.links < 3)
		return 0;
	/* "." and ".." besides one for each thread. */
	return (uint32_t)(facts.links - 2);
}

/* Reads a small file of the thread; the length, or -errno. */
static long read_file(int tid, const char *file, char *to, size_t size)
{
	char path[48];
	own_snprintf(path, sizeof(path), "%d/%s", tid, file);
	int fd = sys_openat(directory, path, O_RDONLY);
	if (fd < 0)
		return fd;
	long length = sys_read(fd, to, size - 1);
	sys_close(fd);
	if (length >= 0)
		to[length] = '\0';
	return length;
}

static uint64_t read_hex(const char **at)
{
	uint64_t value = 0;
	const char *text = *at;
	if (text[0] == '0' && text[1] == 'x')
		text += 2;
	for (;; text++) {
		unsigned digit;
		if (*text >= '0' && *text <= '9')
			digit = (unsigned)(*text - '0');
		else if (*text >= 'a' && *text <= 'f')
			digit = (unsigned)(*text - 'a') + 10;
		else
			break;
		value = value << 4 | digit;
	}
	*at = text;
	return value;
}

/* "running", or "232 0x5 0x7f.. (six arguments) SP PC", or "-1 SP PC" (proc(5)). */
static enum task_state parse_stop(const char *text, struct task_stop *ret_stop)
{
	uint64_t fields[8];
	uint32_t count = 0;
	if (text[0] == 'r')
		return TASK_RUNNING;
	ret_stop->number = text[0] == '-' ? -1 : read_number(text);
	const char *at = strchr(text, ' ');
	while (at && *at == ' ' && count < 8) {
		at++;
		fields[count++] = read_hex(&at);
	}
	if (count != 2 && count != 8)
		return TASK_GONE;
	ret_stop->argument = count == 8 ? fields[0] : 0;
	ret_stop->sp = fields[count - 2];
	ret_stop->pc = fields[count - 1];
	/* A thread that is going away, or a kernel thread of io_uring, has no user stack. */
	return ret_stop->sp && ret_stop->pc ? TASK_BLOCKED : TASK_GONE;
}

static enum task_state read_stop(int fd, struct task_stop *ret_stop)
{
	char text[FILE_BYTES];
	long length = sys_pread(fd, text, sizeof(text) - 1, 0);
	if (length <= 0)
		return length == -EPERM || length == -EACCES ? TASK_REFUSED : TASK_GONE;
	text[length] = '\0';
	return parse_stop(text, ret_stop);
}

enum task_state task_stop_read(int tid, struct task_stop *ret_stop)
{
	char path[48];
	ret_stop->fd = -1;
	if (stop_count == PROC_STOPS_MAX)
		return TASK_REFUSED;
	own_snprintf(path, sizeof(path), "%d/syscall", tid);
	int fd = sys_openat(directory, path, O_RDONLY);
	if (fd < 0)
		return fd == -ENOENT || fd == -ESRCH ? TASK_GONE : TASK_REFUSED;
	enum task_state state = read_stop(fd, ret_stop);
	if (state != TASK_BLOCKED) {
		sys_close(fd);
		return state;
	}
	stop_fds[stop_count++] = fd;
	ret_stop->fd = fd;
	return state;
}

bool task_stop_again(const struct task_stop *stop)
{
	struct task_stop now;
	return read_stop(stop->fd, &now) == TASK_BLOCKED && now.number == stop->number && now.sp == stop->sp &&
	       now.pc == stop->pc;
}

void task_stop_close(struct task_stop *stop)
{
	for (uint32_t i = 0; i < stop_count; i++) {
		if (stop_fds[i] != stop->fd)
			continue;
		sys_close(stop->fd);
		stop_fds[i] = stop_fds[--stop_count];
		break;
	}
	stop->fd = -1;
}

void task_name(int tid, char *ret_name, uint32_t size)
{
	ret_name[0] = '\0';
	long length = read_file(tid, "comm", ret_name, size);
	if (length > 0 && ret_name[length - 1] == '\n')
		ret_name[length - 1] = '\0';
}

char task_state_letter(int tid)
{
	char text[FILE_BYTES];
	if (read_file(tid, "stat", text, sizeof(text)) <= 0)
		return '?';
	/* "TID (NAME) S ...", where the name may hold anything. */
	const char *after = strrchr(text, ')');
	return after && after[1] == ' ' && after[2] ? after[2] : '?';
}

bool task_blocks(int tid, int number)
{
	char text[2048];
	if (read_file(tid, "status", text, sizeof(text)) <= 0)
		return false;
	const char *line = strstr(text, "\nSigBlk:\t");
	if (!line)
		return false;
	line += sizeof("\nSigBlk:\t") - 1;
	return read_hex(&line) >> (number - 1) & 1;
}

uint64_t task_cpu_ns(int tid)
{
	/* CPUCLOCK_PERTHREAD | CPUCLOCK_SCHED of another thread of the process, as pthread_getcpuclockid() makes it. */
	struct timespec used = { 0, 0 };
	long clock = (long)(~(unsigned)tid << 3 | 6u);
	if (sys3(SYS_clock_gettime, (int)clock, (long)&used, 0) != 0)
		return 0;
	return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}
