/* cpu_sample.c - slots, ring, and the handler's part of CPU sampling; a new thread's own timer.
 *
 * The ring is an array of cells of one size, each with a sequence number that says whose turn it is: a producer claims a cell by moving
 * the head, writes, and passes the number on; the consumer does the same behind it (a bounded queue after Dmitry Vyukov). A producer
 * that is preempted in the middle holds up the consumer, never another producer.
 */
#include "runtime/signal/cpu_sample.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "runtime/shared/losses.h"
#include "runtime/shared/pages.h"
#include "runtime/shared/random.h"
#include "runtime/shared/sys.h"
#include "runtime/shared/threads.h"
#include "runtime/shared/tls.h"
#include "runtime/signal/our_signal.h"
#include "runtime/signal/stack_memory.h"
#include "runtime/signal/unwind.h"

#define BEING_TAKEN (-1) /* a slot's tid meanwhile */
#define FD_UNKNOWN 0     /* of slot_of_fd: never was one of ours */
#define FD_FORMER 1      /* was one */
#define FD_SLOT 2        /* + slot */
#define CODE_BYTES 16u

struct cell {
	_Atomic uint64_t turn; /* position: free for the producer of it; position + 1: full */
	uint32_t slot, generation;
	int tid;
	uint32_t periods;
	uint64_t ns;
	struct frames frames;
};

_Atomic bool cpu_running;
_Atomic uint64_t cpu_period_ns;
_Atomic int32_t cpu_timers_left;

static struct {
	struct cpu_slot *slots;
	_Atomic uint32_t slots_used, slot_hint;
	_Atomic int32_t slot_of_fd[CPU_FDS_MAX];
	struct cell *cells;
	uint32_t cell_count; /* a power of two */
	_Atomic uint64_t head;
	uint64_t tail; /* the consumer's */
	uint64_t tick_ns;
	bool signals_interrupt;
} cpu;

static uint64_t thread_cpu_ns(void)
{
	struct timespec now = { 0, 0 };
	sys3(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, (long)&now, 0);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t load(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

/* Of words that one thread at a time writes. */
static void add(_Atomic uint64_t *word, uint64_t more)
{
	atomic_store_explicit(word, load(word) + more, memory_order_relaxed);
}

static void free_turns(void)
{
	for (uint32_t i = 0; i < cpu.cell_count; i++)
		atomic_store_explicit(&cpu.cells[i].turn, i, memory_order_relaxed);
	atomic_store(&cpu.head, 0);
	cpu.tail = 0;
}

/* "6.1.0-13-amd64" against 5.10. */
static bool is_old_kernel(void)
{
	struct utsname name;
	unsigned version[2] = { 0, 0 };
	if (sys3(SYS_uname, (long)&name, 0, 0) != 0)
		return false;
	const char *at = name.release;
	for (int i = 0; i < 2; i++, at += *at == '.')
		for (; *at >= '0' && *at <= '9'; at++)
			version[i] = version[i] * 10 + (unsigned)(*at - '0');
	return version[0] < 5 || (version[0] == 5 && version[1] < 10);
}

bool cpu_signals_interrupt(void)
{
	return cpu.signals_interrupt;
}

bool cpu_samples_init(uint32_t ring_bytes)
{
	struct timespec tick = { 0, 4000000 };
	if (!cpu.slots)
		cpu.slots = pages_map(CPU_SLOTS_MAX * sizeof(*cpu.slots));
	if (!cpu.slots)
		return false;
	if (cpu.cells)
		return true;
	uint32_t count = 64;
	while (count * 2 * sizeof(*cpu.cells) <= ring_bytes)
		count *= 2;
	cpu.cells = pages_map(count * sizeof(*cpu.cells));
	if (!cpu.cells)
		return false;
	cpu.cell_count = count;
	free_turns();
	/* The coarse clock moves once for each tick of the scheduler. */
	sys3(SYS_clock_getres, CLOCK_MONOTONIC_COARSE, (long)&tick, 0);
	cpu.tick_ns = (uint64_t)tick.tv_nsec;
	cpu.signals_interrupt = is_old_kernel();
	return true;
}

/* --- slots ---------------------------------------------------------------------------------------------------------- */

static void reset_slot(struct cpu_slot *slot)
{
	atomic_fetch_add(&slot->generation, 1);
	atomic_store(&slot->source, CPU_SOURCE_NONE);
	atomic_store(&slot->timer, -1);
	atomic_store(&slot->handled, 0);
	_Atomic uint64_t *const words[] = { &slot->begun_ns,   &slot->last_ns, &slot->ended_ns,
		                                &slot->sampled_ns, &slot->lost_ns, &slot->blocked_ns };
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		atomic_store_explicit(words[i], 0, memory_order_relaxed);
	atomic_store(&slot->start_routine, 0);
}

int32_t cpu_slot_take(int tid)
{
	uint32_t first = atomic_load_explicit(&cpu.slot_hint, memory_order_relaxed);
	for (uint32_t i = 0; cpu.slots && i < CPU_SLOTS_MAX; i++) {
		uint32_t ix = (first + i) % CPU_SLOTS_MAX, used;
		struct cpu_slot *slot = &cpu.slots[ix];
		int nobody = 0;
		if (!atomic_compare_exchange_strong(&slot->tid, &nobody, BEING_TAKEN))
			continue;
		reset_slot(slot);
		atomic_store_explicit(&cpu.slot_hint, ix + 1, memory_order_relaxed);
		for (used = atomic_load(&cpu.slots_used); used <= ix;)
			if (atomic_compare_exchange_weak(&cpu.slots_used, &used, ix + 1))
				break;
		atomic_store(&slot->tid, tid);
		return (int32_t)ix;
	}
	loss_count(LOSS_CPU_THREADS_FULL);
	return -1;
}

void cpu_slot_free(uint32_t ix)
{
	atomic_fetch_add(&cpu.slots[ix].generation, 1);
	atomic_store(&cpu.slots[ix].tid, 0);
	if (ix < atomic_load_explicit(&cpu.slot_hint, memory_order_relaxed))
		atomic_store_explicit(&cpu.slot_hint, ix, memory_order_relaxed);
}

struct cpu_slot *cpu_slot_at(uint32_t ix)
{
	return &cpu.slots[ix];
}

uint32_t cpu_slots_used(void)
{
	return atomic_load(&cpu.slots_used);
}

uint64_t cpu_slot_value(uint32_t ix)
{
	return OUR_MARK_CPU << 48 | (uint64_t)atomic_load(&cpu.slots[ix].generation) << 16 | ix;
}

bool cpu_slot_of_fd_set(int fd, int32_t slot)
{
	if (fd < 0 || fd >= (int)CPU_FDS_MAX)
		return false;
	atomic_store(&cpu.slot_of_fd[fd], slot < 0 ? FD_FORMER : slot + FD_SLOT);
	return true;
}

/* --- the ring ------------------------------------------------------------------------------------------------------- */

/* A cell to write, or NULL: full. */
static struct cell *claim(uint64_t *ret_position)
{
	uint64_t position = atomic_load_explicit(&cpu.head, memory_order_relaxed);
	for (;;) {
		struct cell *cell = &cpu.cells[position & (cpu.cell_count - 1)];
		uint64_t turn = atomic_load_explicit(&cell->turn, memory_order_acquire);
		if (turn == position) {
			if (atomic_compare_exchange_weak_explicit(&cpu.head, &position, position + 1, memory_order_relaxed,
			                                          memory_order_relaxed)) {
				*ret_position = position;
				return cell;
			}
		} else if ((int64_t)(turn - position) < 0) {
			return NULL;
		} else {
			position = atomic_load_explicit(&cpu.head, memory_order_relaxed);
		}
	}
}

static void hand_over(struct cell *cell, uint64_t position)
{
	atomic_store_explicit(&cell->turn, position + 1, memory_order_release);
}

bool cpu_ring_next(struct cpu_sample *ret_sample)
{
	if (!cpu.cells)
		return false;
	const struct cell *cell = &cpu.cells[cpu.tail & (cpu.cell_count - 1)];
	if (atomic_load_explicit(&cell->turn, memory_order_acquire) != cpu.tail + 1)
		return false;
	*ret_sample = (struct cpu_sample){
		.slot = cell->slot,
		.generation = cell->generation,
		.tid = cell->tid,
		.periods = cell->periods,
		.ns = cell->ns,
		.frame_count = cell->frames.count,
		.cut = cell->frames.cut,
		.failed = cell->frames.failed,
		.frames = cell->frames.at,
	};
	return true;
}

void cpu_ring_release(void)
{
	struct cell *cell = &cpu.cells[cpu.tail & (cpu.cell_count - 1)];
	atomic_store_explicit(&cell->turn, cpu.tail + cpu.cell_count, memory_order_release);
	cpu.tail++;
}

/* --- in the handler ------------------------------------------------------------------------------------------------- */

/* The slot that the signal names, as long as it is this thread's; NULL: too late. False: the signal is not about samples. */
static bool slot_of_signal(const siginfo_t *info, struct cpu_slot **ret_slot)
{
	uint32_t ix;
	*ret_slot = NULL;
	if (info->si_code == SI_TIMER) {
		uint64_t value = (uint64_t)(uintptr_t)info->si_value.sival_ptr;
		ix = (uint32_t)value & 0xFFFF;
		if (!cpu.slots || ix >= CPU_SLOTS_MAX)
			return false;
		if (atomic_load(&cpu.slots[ix].generation) != (uint32_t)(value >> 16))
			return true;
	} else {
		int fd = info->si_fd;
		int32_t known = fd >= 0 && fd < (int)CPU_FDS_MAX ? atomic_load(&cpu.slot_of_fd[fd]) : FD_UNKNOWN;
		if (known == FD_UNKNOWN)
			return false;
		if (known == FD_FORMER)
			return true;
		ix = (uint32_t)(known - FD_SLOT);
	}
	/* After the end of sampling there may be a filter of system calls. */
	if (cpu.slots && atomic_load(&cpu_running) && atomic_load(&cpu.slots[ix].tid) == sys_gettid())
		*ret_slot = &cpu.slots[ix];
	return true;
}

/* True if the thread returns from a system call that may have used the time, and that is not the one which unblocks signals: then signals
 * came late because the kernel was at work for it. */
static bool kernel_was_at_work(const ucontext_t *context)
{
	uintptr_t pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
	unsigned char code[CODE_BYTES];
	if (sys_copy_memory(code, (const void *)(pc - CODE_BYTES), CODE_BYTES) != (long)CODE_BYTES)
		return false;
	if (code[CODE_BYTES - 2] != 0x0f || code[CODE_BYTES - 1] != 0x05)
		return false;
	for (size_t at = CODE_BYTES - 2; at-- > 0;) {
		uint32_t number;
		if (code[at] != 0xb8 || at + 1 + sizeof(number) > CODE_BYTES - 2)
			continue;
		memcpy(&number, code + at + 1, sizeof(number)); /* mov $number,%eax */
		return number != SYS_rt_sigprocmask;
	}
	return true;
}

/* How many periods the signal stands for; those that were held up while it was blocked are booked, and are not in it. 0: none. */
static uint32_t periods_of(struct cpu_slot *slot, const siginfo_t *info, const ucontext_t *context, uint64_t period_ns,
                           uint64_t gone_ns)
{
	if (info->si_code != SI_TIMER) {
		if (gone_ns >= period_ns / 2 || kernel_was_at_work(context))
			return 1;
		add(&slot->blocked_ns, period_ns);
		return 0;
	}
	uint32_t periods = (uint32_t)(info->si_overrun > 0 ? info->si_overrun : 0) + 1;
	/* The first tick that meets a thread stands for a whole one: also for what passes from the last one to the thread's end. */
	uint32_t tick_periods = (uint32_t)(cpu.tick_ns / period_ns);
	if (atomic_load_explicit(&slot->handled, memory_order_relaxed) == 1 && periods < tick_periods)
		periods = tick_periods;
	uint32_t plausible = (uint32_t)(10 * cpu.tick_ns / period_ns) + 2;
	if (periods <= plausible || kernel_was_at_work(context))
		return periods;
	add(&slot->blocked_ns, (periods - 1) * period_ns);
	return 1;
}

static void sample(struct cpu_slot *slot, const ucontext_t *context, uint32_t periods, uint64_t ns)
{
	uint64_t position;
	struct cell *cell = claim(&position);
	if (!cell) {
		loss_count(LOSS_CPU_RING_FULL);
		add(&slot->lost_ns, ns);
		return;
	}
	cell->slot = (uint32_t)(slot - cpu.slots);
	cell->generation = atomic_load_explicit(&slot->generation, memory_order_relaxed);
	cell->tid = atomic_load_explicit(&slot->tid, memory_order_relaxed);
	cell->periods = periods;
	cell->ns = ns;
	/* A thread whose beginning we have seen has our thread-local block. */
	bool ours = atomic_load_explicit(&slot->start_routine, memory_order_relaxed) != 0;
	unwind_context(context, ours ? tls.thread : stack_memory_thread(), &cell->frames);
	hand_over(cell, position);
	add(&slot->sampled_ns, ns);
}

/* So that the thread can note its end (cpu_self_end). A thread of clone() may have its creator's thread-local block. */
static void remember_slot(const struct cpu_slot *slot)
{
	const struct thread_record *record = stack_memory_thread();
	if (record && atomic_load_explicit(&record->tid, memory_order_relaxed) ==
	                      atomic_load_explicit(&slot->tid, memory_order_relaxed))
		tls.cpu_slot = (uint32_t)(slot - cpu.slots) + 1;
}

bool cpu_handle(const siginfo_t *info, const ucontext_t *context)
{
	struct cpu_slot *slot;
	if (!slot_of_signal(info, &slot))
		return false;
	if (!slot)
		return true;
	atomic_fetch_add_explicit(&slot->handled, 1, memory_order_relaxed);
	uint64_t now_ns = thread_cpu_ns(), period_ns = load(&cpu_period_ns);
	uint64_t gone_ns = now_ns - load(&slot->last_ns);
	uint32_t periods = period_ns ? periods_of(slot, info, context, period_ns, gone_ns) : 0;
	atomic_store_explicit(&slot->last_ns, now_ns, memory_order_relaxed);
	if (periods)
		sample(slot, context, periods, periods * period_ns);
	if (atomic_load_explicit(&slot->handled, memory_order_relaxed) == 1)
		remember_slot(slot);
	return true;
}

/* --- in a thread that begins or ends -------------------------------------------------------------------------------- */

/* As timer_create(2) wants it; glibc names the last member otherwise. */
struct kernel_sigevent {
	uint64_t value;
	int signal, notify, tid;
	int unused[11];
};
#define NOTIFY_THREAD 4

void cpu_slot_drop_timer(struct cpu_slot *slot)
{
	int timer = atomic_exchange(&slot->timer, -1);
	if (timer >= 0)
		sys3(SYS_timer_delete, timer, 0, 0);
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){ (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };
}

/* The kernel looks at timers when a tick of the scheduler hits the thread, so that on average half a tick passes from the expiry to the signal. A
 * thread that ends before has not been seen: what a tick meets first must be counted with the chance that ticks have to meet it. So the
 * share of a tick in the period expires at once, the rest by half a tick early. */
static uint64_t first_expiry_ns(uint64_t random, uint64_t period_ns)
{
	uint64_t ns = random % period_ns;
	return ns < cpu.tick_ns ? 1 : ns - cpu.tick_ns / 2;
}

bool cpu_timer_take(void)
{
	int32_t left = atomic_load_explicit(&cpu_timers_left, memory_order_relaxed);
	while (left > 0)
		if (atomic_compare_exchange_weak(&cpu_timers_left, &left, left - 1))
			return true;
	return false;
}

bool cpu_timer_make(uint32_t ix, int tid, int clock, uint64_t period_ns, uint64_t random)
{
	struct kernel_sigevent event = { cpu_slot_value(ix), our_signal(OUR_SAMPLES), NOTIFY_THREAD, tid, { 0 } };
	struct cpu_slot *slot = &cpu.slots[ix];
	int timer = -1;
	if (!event.signal || !period_ns || sys3(SYS_timer_create, clock, (long)&event, (long)&timer) < 0)
		return false;
	struct itimerspec times = { timespec_of(period_ns), timespec_of(first_expiry_ns(random, period_ns)) };
	if (sys4(SYS_timer_settime, timer, 0, (long)&times, 0) < 0) {
		sys3(SYS_timer_delete, timer, 0, 0);
		return false;
	}
	/* The source last: who sees it finds the timer. */
	atomic_store(&slot->timer, timer);
	atomic_store(&slot->source, CPU_SOURCE_TIMER);
	return true;
}

static bool make_own_timer(uint32_t ix, int tid)
{
	uint64_t period_ns = load(&cpu_period_ns), random = random_seed((uint64_t)tid ^ monotonic_ns());
	if (!cpu_timer_take() || !cpu_timer_make(ix, tid, CLOCK_THREAD_CPUTIME_ID, period_ns, random))
		return false;
	/* The rate has been changed meanwhile: the service thread will make another timer. */
	if (load(&cpu_period_ns) != period_ns)
		cpu_slot_drop_timer(&cpu.slots[ix]);
	return true;
}

void cpu_self_begin(uintptr_t start_routine)
{
	if (!atomic_load(&cpu_running))
		return;
	int tid = sys_gettid();
	int32_t ix = cpu_slot_take(tid);
	if (ix < 0)
		return;
	struct cpu_slot *slot = &cpu.slots[ix];
	uint64_t now_ns = thread_cpu_ns();
	atomic_store(&slot->start_routine, start_routine);
	atomic_store_explicit(&slot->last_ns, now_ns, memory_order_relaxed);
	tls.cpu_slot = (uint32_t)ix + 1;
	if (!make_own_timer((uint32_t)ix, tid)) {
		tls.cpu_slot = 0;
		cpu_slot_free((uint32_t)ix);
		return;
	}
	/* All were disarmed while this one was being armed. */
	if (!atomic_load(&cpu_running))
		cpu_slot_drop_timer(slot);
}

void cpu_self_end(void)
{
	if (!tls.cpu_slot || !cpu.slots)
		return;
	struct cpu_slot *slot = &cpu.slots[tls.cpu_slot - 1];
	tls.cpu_slot = 0;
	if (!atomic_load(&cpu_running) || atomic_load(&slot->tid) != sys_gettid())
		return;
	cpu_slot_drop_timer(slot);
	atomic_store(&slot->ended_ns, thread_cpu_ns());
}

void cpu_samples_forked(void)
{
	atomic_store(&cpu_running, false);
	our_signal_release_samples();
	/* Not a child's: what of it was being written will never be handed over. */
	if (cpu.cells)
		pages_unmap(cpu.cells, cpu.cell_count * sizeof(*cpu.cells));
	if (cpu.slots)
		pages_unmap(cpu.slots, CPU_SLOTS_MAX * sizeof(*cpu.slots));
	cpu.cells = NULL;
	cpu.slots = NULL;
	atomic_store(&cpu.slots_used, 0);
	atomic_store(&cpu.slot_hint, 0);
	tls.cpu_slot = 0;
}
