/* process.c - what does not change about this process, and the page that tells a fork child. What a child does then is
 * life.c's.
 */
#include "runtime/shared/process.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/shared/pages.h"
#include "runtime/shared/sys.h"
#include "runtime/shared/ticks.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

struct process process;
uint32_t *process_alive;
static uint32_t closed; /* for ever */
uint32_t *process_gate = &closed;

static void read_command_line(void)
{
	long length = sys_read_file("/proc/self/cmdline", process.cmdline, sizeof(process.cmdline));
	if (length > 0 && process.cmdline[length - 1] == '\0')
		length--;
	process.cmdline_length = length > 0 ? (uint32_t)length : 0;
}

static void read_name(void)
{
	char path[512];
	long length = sys3(SYS_readlink, (long)"/proc/self/exe", (long)path, sizeof(path) - 1);
	const char *name = process.cmdline;
	if (length > 0) {
		path[length] = '\0';
		name = path;
	}
	const char *slash = strrchr(name, '/');
	name = slash ? slash + 1 : name;
	size_t kept = strlen(name);
	if (kept >= sizeof(process.name))
		kept = sizeof(process.name) - 1;
	memcpy(process.name, name, kept);
	process.name[kept] = '\0';
}

void process_init(void)
{
	static _Atomic int begun;
	if (atomic_exchange(&begun, 1))
		return;
	process.pid = sys_getpid();
	process.started_ns = monotonic_ns();
	ticks_init();
	read_command_line();
	read_name();
	uint32_t *page = pages_map(PAGE_SIZE);
	/* A kernel before 4.14 refuses; then only forks that run atfork handlers are noticed. */
	if (page) {
		sys3(SYS_madvise, (long)page, PAGE_SIZE, MADV_WIPEONFORK);
		*page = PROCESS_ALIVE;
		process_gate = page;
	}
	process_alive = page;
}

void process_open(void)
{
	uint32_t alive = PROCESS_ALIVE;
	if (process_alive)
		__atomic_compare_exchange_n(process_alive, &alive, PROCESS_ALIVE | PROCESS_OPEN, false, __ATOMIC_SEQ_CST,
		                            __ATOMIC_SEQ_CST);
}

void process_close(void)
{
	if (process_alive)
		__atomic_fetch_and(process_alive, ~PROCESS_OPEN, __ATOMIC_SEQ_CST);
}
