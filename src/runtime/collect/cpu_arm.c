/* cpu_arm.c - which thread has which source of CPU samples, from beat to beat. How a source works: cpu_perf.c, cpu_timer.c; a thread that arms itself
 * when it begins: signal/cpu_sample.c.
 */
#include "runtime/collect/cpu_arm.h"

#include <errno.h>
#include <string.h>

#include "runtime/collect/cpu_perf.h"
#include "runtime/collect/cpu_tasks.h"
#include "runtime/collect/cpu_timer.h"
#include "runtime/collect/proc_task.h"
#include "runtime/shared/losses.h"
#include "runtime/shared/pages.h"
#include "runtime/shared/process.h"
#include "runtime/shared/random.h"
#include "runtime/shared/sys.h"
#include "runtime/signal/cpu_sample.h"
#include "runtime/signal/our_signal.h"
#include "runtime/signal/unwind.h"

#define NS_PER_S UINT64_C(1000000000)
#define RING_BYTES_PER_CPU ((uint32_t)2 << 20)
#define RING_BYTES_MAX ((uint32_t)32 << 20)
/* A list is taken at each beat up to so many threads; with more, when their number has changed, and at every tenth beat. */
#define FEW_THREADS 64u
#define LIST_BEATS 10u
/* A thread that has used less is about to arm itself, unless it is still not armed at the next list. */
#define YOUNG_NS 200000u
#define YOUNG_PLACES 8192u /* half of them are used */
/* Of how many threads the clock is looked at in a beat, and of how many the mask of signals. */
#define LOOKS_PER_BEAT 64u
#define MASKS_PER_BEAT 16u
#define TRIES_PER_LIST 16u
/* So much time shows whether a thread is mostly in the kernel. */
#define KERNEL_PROOF_NS 200000000u
/* So many periods, and a tick, that no signal accounts for make a thread suspicious. */
#define SILENT_PERIODS 4u

/* What we know of a slot besides what is in it. */
struct armed {
	uint32_t generation;    /* of the slot, when this was begun */
	int fd;                 /* perf_event's, -1 = none */
	uint64_t looked_ns;     /* its CPU clock at the last look */
	uint64_t looked_booked; /* what its signals had accounted for by then, nanoseconds */
	uint64_t unanswered_ns, kernel_ns;
	uint64_t perf_ns, perf_kernel_ns; /* clock and kernel_ns when its event began */
	uint32_t list_number;             /* of the last list that it was in */
	uint8_t bare_beats;               /* in which it had no timer, nor an event */
	bool ours;                        /* armed by us, not by itself */
	bool no_perf;                     /* it has been tried in vain, or is no use */
	bool blocking;                    /* blocked our signal at the last look */
};

static struct {
	bool on;
	uint64_t period_ns;
	struct armed *armed; /* CPU_SLOTS_MAX, own pages */
	uint16_t *by_tid;    /* slot + 1 by tid, open addressing; room for TID_PLACES, */
	uint32_t places;     /* of which so many are used: a power of two, */
	uint32_t placed;     /* and so many are taken */
	bool perf;
	uint32_t without_perf, in_kernel;
	uint32_t listed_count, beats_since_list;
	uint32_t look_next, masks_left;
	int signal;                     /* by which threads are sampled */
	uint32_t tries_left;            /* threads that cannot be armed cost time */
	uint32_t unarmed, most_unarmed; /* threads of this list that could not be armed; of any list */
	uint64_t random;
	uint32_t list_number;
	struct young {
		uint32_t count;
		int tids[YOUNG_PLACES]; /* open addressing */
	} young[2];                 /* of the last list, of this one; in turn */
} arm;

#define TID_PLACES (2 * CPU_SLOTS_MAX)

static int tid_of(uint32_t ix)
{
	return atomic_load(&cpu_slot_at(ix)->tid);
}

static uint32_t handled_of(uint32_t ix)
{
	return atomic_load_explicit(&cpu_slot_at(ix)->handled, memory_order_relaxed);
}

static uint64_t load(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

/* Ours beside the slot; begun anew if the slot has been taken again since. */
static struct armed *armed_at(uint32_t ix)
{
	struct armed *armed = &arm.armed[ix];
	uint32_t generation = atomic_load(&cpu_slot_at(ix)->generation);
	if (armed->generation != generation)
		*armed = (struct armed){ .generation = generation, .fd = -1 };
	return armed;
}

/* --- one thread --------------------------------------------------------------------------------------------------------- */

static void close_event(struct armed *armed)
{
	if (armed->fd < 0)
		return;
	cpu_perf_close(armed->fd);
	armed->fd = -1;
}

/* A perf_event clock in the place of the slot's timer. */
static bool upgrade(uint32_t ix, struct armed *armed)
{
	struct cpu_slot *slot = cpu_slot_at(ix);
	int fd = cpu_perf_open(tid_of(ix), ix, arm.period_ns);
	if (fd < 0) {
		armed->no_perf = true;
		if (sys3(SYS_tgkill, process.pid, tid_of(ix), 0) == 0)
			arm.without_perf++;
		return false;
	}
	/* The event begins with a whole period. In every other case what is left of the timer's is used up, too: that makes up for it. */
	if (random_next(&arm.random) >> 63)
		cpu_timer_finish(ix);
	else
		cpu_timer_drop(ix);
	armed->fd = fd;
	armed->perf_ns = task_cpu_ns(tid_of(ix));
	armed->perf_kernel_ns = armed->kernel_ns;
	atomic_store(&slot->source, CPU_SOURCE_PERF);
	cpu_perf_start(fd);
	return true;
}

/* Timers beyond half of what the user may have pending would take from the program. */
static bool take_timer(uint32_t ix, int tid)
{
	return cpu_timer_take() && cpu_timer_arm(ix, tid, arm.period_ns);
}

/* A slot and a source for a thread that has none; the slot, or -1. */
static int32_t arm_thread(int tid)
{
	uint64_t clock_ns = task_cpu_ns(tid);
	if (sys3(SYS_tgkill, process.pid, tid, 0) != 0)
		return -1;
	int32_t taken = arm.tries_left > 0 ? cpu_slot_take(tid) : -1;
	if (taken < 0) {
		arm.tries_left = 0;
		arm.unarmed++;
		return -1;
	}
	uint32_t ix = (uint32_t)taken;
	struct cpu_slot *slot = cpu_slot_at(ix);
	struct armed *armed = armed_at(ix);
	armed->ours = true;
	armed->list_number = arm.list_number;
	armed->looked_ns = clock_ns;
	atomic_store_explicit(&slot->begun_ns, clock_ns, memory_order_relaxed);
	atomic_store_explicit(&slot->last_ns, clock_ns, memory_order_relaxed);
	if (take_timer(ix, tid) || (arm.perf && upgrade(ix, armed)))
		return taken;
	cpu_slot_free(ix);
	arm.tries_left--;
	arm.unarmed++;
	return -1;
}

static void disarm(uint32_t ix)
{
	close_event(armed_at(ix));
	cpu_timer_drop(ix);
	cpu_slot_free(ix);
}

static void forget(uint32_t ix, cpu_arm_ended *ended)
{
	struct cpu_account account;
	if (ended && cpu_arm_account(ix, false, &account))
		ended(ix, &account);
	disarm(ix);
}

/* --- accounts --------------------------------------------------------------------------------------------------------- */

/* A thread that is in the kernel for much of its time tells more by a timer: its signals come when system calls return, with a stack. */
static void prefer_timer(uint32_t ix, struct armed *armed, uint64_t clock_ns)
{
	uint64_t used_ns = clock_ns - armed->perf_ns, kernel_ns = armed->kernel_ns - armed->perf_kernel_ns;
	if (armed->fd < 0 || used_ns < KERNEL_PROOF_NS || kernel_ns < used_ns / 3)
		return;
	cpu_timer_drop(ix);
	if (!cpu_timer_arm(ix, tid_of(ix), arm.period_ns)) {
		armed->perf_ns = clock_ns; /* not before the next proof */
		armed->perf_kernel_ns = armed->kernel_ns;
		return;
	}
	close_event(armed);
	armed->no_perf = true;
	arm.in_kernel++;
}

/* Where the time was that no signal accounts for. */
static void tell_unseen(uint32_t ix, struct armed *armed, uint64_t ns)
{
	bool blocks = cpu_task_blocks(tid_of(ix), our_signal(OUR_SAMPLES));
	if (blocks || armed->blocking)
		armed->unanswered_ns += ns;
	else if (armed->fd >= 0)
		armed->kernel_ns += ns;
	armed->blocking = blocks;
}

/* Looks at the thread's clock, and at its mask of signals if some of its time is not accounted for. */
static void look(uint32_t ix, struct armed *armed, bool may_read_mask)
{
	struct cpu_slot *slot = cpu_slot_at(ix);
	uint64_t booked_ns = load(&slot->sampled_ns) + load(&slot->lost_ns) + load(&slot->blocked_ns);
	uint64_t clock_ns = task_cpu_ns(tid_of(ix)), new_ns = booked_ns - armed->looked_booked;
	if (clock_ns <= armed->looked_ns)
		return;
	uint64_t gone_ns = clock_ns - armed->looked_ns;
	uint64_t unseen_ns = gone_ns > new_ns ? gone_ns - new_ns : 0;
	if (unseen_ns >= SILENT_PERIODS * arm.period_ns + cpu_timer_tick_ns()) {
		if (!may_read_mask)
			return;
		if (arm.masks_left > 0)
			arm.masks_left--;
		tell_unseen(ix, armed, unseen_ns);
	} else if (new_ns == 0) {
		return; /* let it add up */
	} else {
		armed->blocking = false;
	}
	armed->looked_ns = clock_ns;
	armed->looked_booked = booked_ns;
	prefer_timer(ix, armed, clock_ns);
}

bool cpu_arm_account(uint32_t ix, bool closely, struct cpu_account *ret_account)
{
	struct cpu_slot *slot = cpu_slot_at(ix);
	int tid = tid_of(ix);
	if (tid <= 0)
		return false;
	struct armed *armed = armed_at(ix);
	if (closely)
		look(ix, armed, true);
	uint64_t clock_ns = load(&slot->ended_ns), last_ns = load(&slot->last_ns);
	if (!clock_ns)
		clock_ns = task_cpu_ns(tid);
	/* Gone unseen, or its number is another thread's already. */
	if (clock_ns < last_ns)
		clock_ns = last_ns;
	if (clock_ns < armed->looked_ns)
		clock_ns = armed->looked_ns;
	*ret_account = (struct cpu_account){
		.tid = tid,
		.generation = armed->generation,
		.clock_ns = clock_ns,
		.begun_ns = load(&slot->begun_ns),
		.sampled_ns = load(&slot->sampled_ns),
		.lost_ns = load(&slot->lost_ns),
		.blocked_ns = load(&slot->blocked_ns),
		.unanswered_ns = armed->unanswered_ns,
		.kernel_ns = armed->kernel_ns,
		.hides_kernel = armed->fd >= 0,
		.start_routine = atomic_load(&slot->start_routine),
	};
	return true;
}

const char *cpu_arm_why_no_perf(void)
{
	return arm.perf ? NULL : cpu_perf_why_not();
}

bool cpu_arm_has_lost_signal(void)
{
	return arm.on && our_signal_choose(OUR_SAMPLES) != arm.signal;
}

uint32_t cpu_arm_unarmed(void)
{
	return arm.most_unarmed;
}

uint32_t cpu_arm_in_kernel(void)
{
	return arm.in_kernel;
}

uint32_t cpu_arm_without_perf(void)
{
	return arm.without_perf;
}

/* --- who is there ------------------------------------------------------------------------------------------------------- */

static uint32_t place_of(int tid)
{
	uint32_t at = (uint32_t)tid * 2654435761u >> 7 & (arm.places - 1);
	while (arm.by_tid[at] && tid_of(arm.by_tid[at] - 1u) != tid)
		at = (at + 1) & (arm.places - 1);
	return at;
}

static void place(uint32_t at, uint32_t ix)
{
	arm.by_tid[at] = (uint16_t)(ix + 1);
	arm.placed++;
}

/* Two slots of one thread: it has armed itself while we did. Or its number has been given out again; then the dead one's clock runs ahead. */
static uint32_t worse_of(uint32_t a, uint32_t b)
{
	uint64_t clock_ns = task_cpu_ns(tid_of(a));
	bool a_is_dead = load(&cpu_slot_at(a)->last_ns) > clock_ns, b_is_dead = load(&cpu_slot_at(b)->last_ns) > clock_ns;
	if (a_is_dead != b_is_dead)
		return a_is_dead ? a : b;
	return armed_at(b)->ours ? b : a;
}

/* Puts all slots in their places by tid, and gives up what is over. */
static void index_slots(cpu_arm_ended *ended)
{
	uint32_t used = cpu_slots_used();
	uint32_t wanted = 2 * (used > arm.listed_count ? used : arm.listed_count);
	for (arm.places = 256; arm.places < wanted && arm.places < TID_PLACES;)
		arm.places *= 2;
	arm.placed = 0;
	memset(arm.by_tid, 0, arm.places * sizeof(*arm.by_tid));
	for (uint32_t ix = 0; ix < used; ix++) {
		int tid = tid_of(ix);
		if (tid <= 0)
			continue;
		if (load(&cpu_slot_at(ix)->ended_ns)) {
			forget(ix, ended);
			continue;
		}
		uint32_t at = place_of(tid);
		if (arm.by_tid[at]) {
			uint32_t other = arm.by_tid[at] - 1u, worse = worse_of(ix, other);
			arm.by_tid[at] = (uint16_t)((worse == ix ? other : ix) + 1);
			/* The place's owner has changed before the other's slot is free. */
			forget(worse, ended);
		} else {
			place(at, ix);
		}
	}
}

static uint32_t young_place(const struct young *young, int tid)
{
	uint32_t at = (uint32_t)tid * 2654435761u >> 7 & (YOUNG_PLACES - 1);
	while (young->tids[at] && young->tids[at] != tid)
		at = (at + 1) & (YOUNG_PLACES - 1);
	return at;
}

/* True if the thread has only just begun: it will arm itself, if it is one of pthread_create's. If not, the next list does it. Whoever is
 * there when sampling begins has begun before. */
static bool is_young(const struct young *before, struct young *now, int tid)
{
	if (arm.list_number == 1 || before->tids[young_place(before, tid)] || now->count >= YOUNG_PLACES / 2 ||
	    task_cpu_ns(tid) >= YOUNG_NS)
		return false;
	now->tids[young_place(now, tid)] = tid;
	now->count++;
	return true;
}

static void note_start_routine(int tid, uintptr_t start_routine)
{
	uint32_t known = arm.by_tid[place_of(tid)];
	if (known)
		atomic_store(&cpu_slot_at(known - 1)->start_routine, start_routine);
}

static void arm_listed(const struct cpu_tasks *tasks)
{
	const struct young *before = &arm.young[arm.list_number % 2];
	struct young *now = &arm.young[++arm.list_number % 2];
	if (now->count)
		memset(now, 0, sizeof(*now));
	bool any = false;
	for (uint32_t i = 0; i < tasks->count; i++) {
		int tid = tasks->tids[i];
		uint32_t at = place_of(tid), known = arm.by_tid[at];
		if (known) {
			armed_at(known - 1)->list_number = arm.list_number;
		} else if (!is_young(before, now, tid)) {
			int32_t ix = arm_thread(tid);
			if (ix >= 0 && arm.placed < arm.places / 4 * 3)
				place(at, (uint32_t)ix);
			any |= ix >= 0;
		}
	}
	if (any)
		cpu_tasks_start_routines(note_start_routine);
}

/* Whoever was there before the list was made, is not in it, and cannot be sent a signal, has ended. */
static void forget_missing(cpu_arm_ended *ended)
{
	for (uint32_t at = 0; at < arm.places; at++) {
		if (!arm.by_tid[at])
			continue;
		uint32_t ix = arm.by_tid[at] - 1u;
		int tid = tid_of(ix);
		if (tid > 0 && armed_at(ix)->list_number != arm.list_number && sys3(SYS_tgkill, process.pid, tid, 0) == -ESRCH)
			forget(ix, ended);
	}
}

static bool must_list(void)
{
	uint32_t count = proc_tasks_count();
	arm.beats_since_list++;
	return count <= FEW_THREADS || count != arm.listed_count || arm.young[arm.list_number % 2].count ||
	       arm.beats_since_list >= LIST_BEATS;
}

/* How much may be tried until the next list. */
static void count_room(void)
{
	uint32_t most = cpu_timers_max(), timers = 0, slots = 0;
	for (uint32_t ix = 0; ix < cpu_slots_used(); ix++) {
		slots += tid_of(ix) != 0;
		timers += tid_of(ix) > 0 && atomic_load(&cpu_slot_at(ix)->timer) >= 0;
	}
	atomic_store(&cpu_timers_left, timers < most ? (int32_t)(most - timers) : 0);
	arm.tries_left = slots < CPU_SLOTS_MAX ? TRIES_PER_LIST : 0;
	arm.unarmed = 0;
}

static void list(cpu_arm_ended *ended)
{
	struct cpu_tasks tasks;
	/* In this order: who begins between the two is not taken for ended. */
	arm.listed_count = proc_tasks_count();
	index_slots(ended);
	cpu_tasks_list(&tasks);
	count_room();
	arm_listed(&tasks);
	for (; arm.most_unarmed < arm.unarmed; arm.most_unarmed++)
		loss_count(LOSS_CPU_THREADS_FULL);
	forget_missing(ended);
	arm.beats_since_list = 0;
}

/* --- beats -------------------------------------------------------------------------------------------------------------- */

/* A thread that began while everything was being disarmed has taken its timer back. */
static void rearm_bare(uint32_t ix, struct armed *armed)
{
	if (load(&cpu_slot_at(ix)->ended_ns) || atomic_load(&cpu_slot_at(ix)->timer) >= 0)
		armed->bare_beats = 0;
	else if (++armed->bare_beats > 4)
		cpu_timer_arm(ix, tid_of(ix), arm.period_ns);
}

static void tend(uint32_t ix, cpu_arm_ended *ended)
{
	struct cpu_slot *slot = cpu_slot_at(ix);
	struct armed *armed = armed_at(ix);
	int source = atomic_load(&slot->source);
	if (load(&slot->ended_ns))
		forget(ix, ended);
	else if (source == CPU_SOURCE_TIMER && arm.perf && !armed->no_perf && handled_of(ix) > 0)
		upgrade(ix, armed);
	else if (source == CPU_SOURCE_TIMER)
		rearm_bare(ix, armed);
}

static void look_at_some(void)
{
	uint32_t used = cpu_slots_used(), looks = used < LOOKS_PER_BEAT ? used : LOOKS_PER_BEAT;
	arm.masks_left = MASKS_PER_BEAT;
	for (; looks > 0; looks--) {
		uint32_t ix = arm.look_next++ % used;
		if (tid_of(ix) > 0 && atomic_load(&cpu_slot_at(ix)->source) != CPU_SOURCE_NONE)
			look(ix, armed_at(ix), arm.masks_left > 0);
	}
}

void cpu_arm_beat(cpu_arm_ended *ended)
{
	if (!arm.on)
		return;
	if (must_list())
		list(ended);
	for (uint32_t ix = 0; ix < cpu_slots_used(); ix++)
		if (tid_of(ix) > 0)
			tend(ix, ended);
	look_at_some();
}

/* --- all of them -------------------------------------------------------------------------------------------------------- */

static uint32_t ring_bytes(void)
{
	uint64_t processors[128] = { 0 }; /* 8192 of them */
	long size = sys3(SYS_sched_getaffinity, 0, sizeof(processors), (long)processors);
	uint32_t count = 0, bytes = 2 * RING_BYTES_PER_CPU;
	for (long i = 0; i < size / 8; i++)
		count += (uint32_t)__builtin_popcountll(processors[i]);
	while (bytes < RING_BYTES_MAX && bytes < count * (uint64_t)RING_BYTES_PER_CPU)
		bytes *= 2;
	return bytes;
}

static bool have_memory(void)
{
	if (!arm.armed)
		arm.armed = pages_map(CPU_SLOTS_MAX * sizeof(*arm.armed));
	if (!arm.by_tid)
		arm.by_tid = pages_map(TID_PLACES * sizeof(*arm.by_tid));
	return arm.armed && arm.by_tid && cpu_samples_init(ring_bytes());
}

/* What threads have left that began or ended while everything was being disarmed. One that is still at it has no source yet. */
static void clear_slots(void)
{
	for (uint32_t ix = 0; ix < cpu_slots_used(); ix++) {
		int tid = tid_of(ix);
		if (tid > 0 && (atomic_load(&cpu_slot_at(ix)->source) != CPU_SOURCE_NONE ||
		                sys3(SYS_tgkill, process.pid, tid, 0) == -ESRCH))
			disarm(ix);
	}
}

const char *cpu_arm_begin(uint64_t period_ns)
{
	arm.signal = our_signal_choose(OUR_SAMPLES);
	if (!arm.signal)
		return "off: no signal is free";
	if (!have_memory())
		return "off: no memory for samples";
	unwind_init();
	clear_slots();
	arm.period_ns = period_ns;
	cpu_perf_try_again();
	arm.perf = cpu_perf_access() == CPU_PERF_GRANTED;
	if (!arm.perf && !cpu_timers_permitted())
		return "off: neither timers nor perf_event are permitted here";
	arm.without_perf = arm.in_kernel = arm.most_unarmed = 0;
	arm.list_number = 0;
	arm.random = random_seed(monotonic_ns());
	memset(arm.young, 0, sizeof(arm.young));
	arm.on = true;
	atomic_store(&cpu_period_ns, period_ns);
	atomic_store(&cpu_running, true);
	list(NULL);
	return NULL;
}

static void change_period(uint32_t ix, struct armed *armed)
{
	if (armed->fd < 0) {
		/* Taken away first: a timer that its thread deletes meanwhile may be the program's by now. */
		cpu_timer_drop(ix);
		cpu_timer_arm(ix, tid_of(ix), arm.period_ns);
		return;
	}
	cpu_perf_set_period(armed->fd, arm.period_ns);
}

void cpu_arm_set_period(uint64_t period_ns)
{
	if (!arm.on || period_ns == arm.period_ns)
		return;
	arm.period_ns = period_ns;
	atomic_store(&cpu_period_ns, period_ns);
	for (uint32_t ix = 0; ix < cpu_slots_used(); ix++)
		if (tid_of(ix) > 0 && atomic_load(&cpu_slot_at(ix)->source) != CPU_SOURCE_NONE &&
		    !load(&cpu_slot_at(ix)->ended_ns))
			change_period(ix, armed_at(ix));
}

void cpu_arm_end(void)
{
	if (!arm.on)
		return;
	arm.on = false;
	atomic_store(&cpu_running, false);
	for (uint32_t ix = 0; ix < cpu_slots_used(); ix++)
		if (tid_of(ix) > 0 && atomic_load(&cpu_slot_at(ix)->source) != CPU_SOURCE_NONE)
			disarm(ix);
	our_signal_release_samples();
}

void cpu_arm_forked(void)
{
	struct armed *armed = arm.armed;
	arm.on = false;
	arm.armed = NULL;
	/* Descriptors in it were the parent's. */
	if (armed)
		pages_unmap(armed, CPU_SLOTS_MAX * sizeof(*armed));
	cpu_perf_try_again();
}
