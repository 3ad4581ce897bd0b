/* cpu_tasks.c - lists and looks at threads without memory of the work in progress. */
#include "runtime/collect/cpu_tasks.h"

#include <string.h>

#include "runtime/life.h"
#include "runtime/shared/own_libc.h"
#include "runtime/shared/pages.h"
#include "runtime/shared/process.h"
#include "runtime/shared/sys.h"
#include "runtime/shared/threads.h"

#define LISTING_BYTES 16384u

/* A directory entry as getdents64(2) has it. */
struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t size;
	uint8_t type;
	char name[];
};

static struct {
	int *tids; /* own pages */
	uint32_t count, room;
	char listing[LISTING_BYTES] __attribute__((aligned(8)));
} list;

static void add(int tid)
{
	if (tid <= 0 || tid == life_service_tid())
		return;
	if (list.count == list.room) {
		uint32_t larger = list.room ? list.room * 2 : 1024;
		int *tids = pages_map(larger * sizeof(*tids));
		if (!tids)
			return;
		if (list.count)
			memcpy(tids, list.tids, list.count * sizeof(*tids));
		pages_unmap(list.tids, list.room * sizeof(*tids));
		list.tids = tids;
		list.room = larger;
	}
	list.tids[list.count++] = tid;
}

static int read_number(const char *text)
{
	int number = 0;
	for (; *text >= '0' && *text <= '9' && number < 100000000; text++)
		number = number * 10 + (*text - '0');
	return number;
}

static bool list_proc(void)
{
	int directory = sys_open("/proc/self/task", O_RDONLY | O_DIRECTORY);
	if (directory < 0)
		return false;
	long size;
	while ((size = sys3(SYS_getdents64, directory, (long)list.listing, LISTING_BYTES)) > 0) {
		for (long at = 0; at < size;) {
			struct entry *entry = (struct entry *)(void *)(list.listing + at);
			at += entry->size;
			add(read_number(entry->name));
		}
	}
	sys_close(directory);
	return list.count > 0;
}

static void list_registry(void)
{
	bool main_thread = false;
	for (struct thread_record *record = threads_first(); record; record = record->next) {
		int tid = atomic_load_explicit(&record->tid, memory_order_relaxed);
		if (tid == 0 || atomic_load_explicit(&record->state, memory_order_relaxed) != THREAD_LIVE)
			continue;
		add(tid);
		main_thread |= tid == process.pid;
	}
	if (!main_thread)
		add(process.pid);
}

void cpu_tasks_list(struct cpu_tasks *ret_tasks)
{
	list.count = 0;
	if (!list_proc())
		list_registry();
	*ret_tasks = (struct cpu_tasks){ list.tids, list.count };
}

static long read_file(int tid, const char *file, char *to, size_t size)
{
	char path[64];
	own_snprintf(path, sizeof(path), "/proc/self/task/%d/%s", tid, file);
	return sys_read_file(path, to, size);
}

bool cpu_task_blocks(int tid, int signal)
{
	char text[4096];
	const char *line = read_file(tid, "status", text, sizeof(text)) > 0 ? strstr(text, "\nSigBlk:\t") : NULL;
	if (!line || signal <= 0)
		return false;
	uint64_t mask = 0;
	for (line += sizeof("\nSigBlk:\t") - 1; *line && *line != '\n'; line++)
		mask = mask << 4 | (uint64_t)(*line <= '9' ? *line - '0' : *line - 'a' + 10);
	return mask >> (signal - 1) & 1;
}

bool cpu_task_name(int tid, char *ret_name, uint32_t size)
{
	char text[32];
	long length = read_file(tid, "comm", text, sizeof(text));
	if (length <= 0)
		return false;
	if (text[length - 1] == '\n')
		length--;
	if ((uint32_t)length >= size)
		length = (long)size - 1;
	memcpy(ret_name, text, (size_t)length);
	ret_name[length] = '\0';
	return true;
}

void cpu_tasks_start_routines(void (*tell)(int tid, uintptr_t start_routine))
{
	for (struct thread_record *record = threads_first(); record; record = record->next) {
		int tid = atomic_load_explicit(&record->tid, memory_order_relaxed);
		if (tid > 0 && record->start_routine &&
		    atomic_load_explicit(&record->state, memory_order_relaxed) == THREAD_LIVE)
			tell(tid, record->start_routine);
	}
}
