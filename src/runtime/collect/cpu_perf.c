/* cpu_perf.c - opening perf_event's software clock (perf_event_open(2), F_SETSIG in fcntl(2)). Not which threads have one.
 *
 * What such a signal could do to the host, and what keeps it from that:
 *
 * A real-time signal that finds no room in the user's queue becomes SIGIO, whose default is to end the process. And one that becomes pending
 * inside execve() outlives the handler that it was for, and ends the new program: of programs that executed another while they were sampled a thousand
 * times a second, the kernel included, 15 in 100 died. So perf_event is only used with a signal below the real-time ones, whose default
 * is to be ignored (our_signal.h).
 *
 * A period that ends while the thread is in the kernel would make the system call end with EINTR, if it is one that waits. So events leave the
 * kernel out; a period that ends in user mode is signalled before the program's next instruction.
 */
#include "runtime/collect/cpu_perf.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>

#include "runtime/collect/cpu_timer.h"
#include "runtime/shared/process.h"
#include "runtime/shared/settings.h"
#include "runtime/shared/sys.h"
#include "runtime/signal/cpu_sample.h"
#include "runtime/signal/our_signal.h"

#define FIRST_REAL_TIME 32

/* As <fcntl.h> has it for F_SETOWN_EX. */
struct owner {
	int type, tid;
};

static _Atomic int access_known; /* enum cpu_perf_access */
static const char *_Atomic why_not;

static long open_event(int tid, uint64_t period_ns)
{
	struct perf_event_attr event;
	memset(&event, 0, sizeof(event));
	event.type = PERF_TYPE_SOFTWARE;
	event.size = PERF_ATTR_SIZE_VER0;
	event.config = PERF_COUNT_SW_CPU_CLOCK;
	event.sample_period = period_ns;
	event.disabled = 1;
	event.exclude_kernel = 1;
	event.exclude_hv = 1;
	return sys6(SYS_perf_event_open, (long)&event, tid, -1, -1, PERF_FLAG_FD_CLOEXEC, 0);
}

static enum cpu_perf_access refuse(const char *why)
{
	atomic_store(&why_not, why);
	return CPU_PERF_REFUSED;
}

static const char *text_of_error(long error)
{
	switch (-error) {
	case EACCES:
	case EPERM:
		return "perf_event is not permitted here (kernel.perf_event_paranoid)";
	case ENOSYS:
		return "the kernel has no perf_event";
	case EMFILE:
	case ENFILE:
		return "no descriptor for perf_event";
	}
	return "perf_event cannot be had here";
}

static enum cpu_perf_access try_access(void)
{
	if (settings.perf_off)
		return refuse("CPPROF_DISABLE=perf");
	/* A filter that the process was started with may end it for a call that it does not expect. One that refuses timers answers with an error: then
	 * there is nothing else to try. */
	if (!sys_may_copy_directly() && cpu_timers_permitted())
		return refuse("the process is under a system call filter");
	if (our_signal(OUR_SAMPLES) >= FIRST_REAL_TIME)
		return refuse("the program uses SIGURG itself");
	long fd = open_event(0, 1000000000);
	if (fd < 0)
		return refuse(text_of_error(fd));
	sys_close((int)fd);
	return CPU_PERF_GRANTED;
}

enum cpu_perf_access cpu_perf_access(void)
{
	if (atomic_load(&access_known) == CPU_PERF_UNTRIED)
		atomic_store(&access_known, try_access());
	return cpu_perf_known();
}

enum cpu_perf_access cpu_perf_known(void)
{
	return (enum cpu_perf_access)atomic_load(&access_known);
}

const char *cpu_perf_why_not(void)
{
	return atomic_load(&why_not);
}

static uint64_t descriptors_max(void)
{
	struct rlimit limit = { 0, 0 };
	sys4(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit);
	return limit.rlim_cur > CPU_FDS_MAX ? CPU_FDS_MAX : limit.rlim_cur / 4 * 3;
}

static bool direct_signals(int fd, int tid)
{
	const struct owner owner = { F_OWNER_TID, tid };
	return sys3(SYS_fcntl, fd, F_SETOWN_EX, (long)&owner) >= 0 &&
	       sys3(SYS_fcntl, fd, F_SETSIG, our_signal(OUR_SAMPLES)) >= 0 &&
	       sys3(SYS_fcntl, fd, F_SETFL, O_ASYNC | O_RDWR) >= 0;
}

int cpu_perf_open(int tid, uint32_t slot, uint64_t period_ns)
{
	long opened = open_event(tid, period_ns);
	if (opened < 0)
		return -1;
	int fd = (int)opened;
	/* What is left of the table is for sockets and files. And the number could have been given to a thread of somebody else's meanwhile. */
	bool have = (uint64_t)fd < descriptors_max() && direct_signals(fd, tid) &&
	            sys3(SYS_tgkill, process.pid, tid, 0) == 0 && cpu_slot_of_fd_set(fd, (int32_t)slot);
	if (have)
		return fd;
	sys_close(fd);
	return -1;
}

void cpu_perf_start(int fd)
{
	sys3(SYS_ioctl, fd, PERF_EVENT_IOC_ENABLE, 0);
}

void cpu_perf_set_period(int fd, uint64_t period_ns)
{
	sys3(SYS_ioctl, fd, (long)PERF_EVENT_IOC_PERIOD, (long)&period_ns);
}

void cpu_perf_close(int fd)
{
	cpu_slot_of_fd_set(fd, -1);
	sys_close(fd);
}

void cpu_perf_try_again(void)
{
	atomic_store(&access_known, CPU_PERF_UNTRIED);
}
