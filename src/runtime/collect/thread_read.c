/* thread_read.c - reads the stack of every thread without disturbing it.
 *
 * A thread that waits in one of our wrappers has published its registers; for one that waits elsewhere /proc has pc and sp. Either
 * way its stack is copied, many threads with one system call, and the thread is looked at once more: if it has not moved, what was
 * copied is what it was. Only the copy is unwound. A thread that keeps moving, or runs, is asked by a signal
 * (signal/dump.h). Where /proc refuses, what has published is read, and what uses processor time is asked; nobody else is
 * disturbed to find out.
 */
#include "runtime/collect/thread_read.h"

#include <errno.h>
#include <string.h>

#include "runtime/collect/proc_task.h"
#include "runtime/hooks/wait_record.h"
#include "runtime/life.h"
#include "runtime/shared/losses.h"
#include "runtime/shared/process.h"
#include "runtime/shared/region.h"
#include "runtime/shared/sys.h"
#include "runtime/shared/threads.h"
#include "runtime/shared/ticks.h"
#include "runtime/signal/dump.h"
#include "runtime/signal/our_signal.h"
#include "runtime/signal/unwind.h"

#define BATCH PROC_STOPS_MAX
#define RED_ZONE 128u    /* below sp, belongs to the function all the same */
#define FIRST_COPY 2048u /* at least; up to the end of that page */
#define FIRST_COPY_MAX (FIRST_COPY + RED_ZONE + 4096u)
#define DEEPEST_COPY ((size_t)64 << 20)
#define TRIES 3
#define ASK_BATCH 64u           /* signals sent before we wait for the answers */
#define ASK_WAIT_NS 10000000u   /* for such a batch */
#define LATE_WAIT_NS 100000000u /* for all who have not answered by then */
#define POLL_NS 50000           /* between looks for answers */
#define CPU_PAUSE_NS 8000000    /* between two looks at a thread's processor time */

enum seen {
	SEEN_GONE,
	SEEN_REFUSED,
	SEEN_RUNNING,
	SEEN_WAITING, /* by what it has published */
	SEEN_BLOCKED, /* by /proc */
};

struct candidate {
	uint32_t index; /* of the thread in the list */
	int tid;
	enum seen seen;
	struct thread_record *record; /* NULL: not known to us */
	uint32_t sequence;            /* SEEN_WAITING */
	enum wait_call call;
	uint64_t object;
	uint64_t since_ticks;
	struct task_stop stop; /* SEEN_BLOCKED */
	struct unwind_registers registers;
	struct unwind_copy copy;
	unsigned char *room; /* where the first copy goes */
};

struct reader {
	bool details, has_proc;
	thread_visit *visit;
	void *arg;
	struct task_list tasks;
	struct thread_record **by_tid; /* open addressing */
	uint32_t by_tid_mask, record_count;
	int self_tid, service_tid;
	uint32_t *running; /* indices of threads to ask, in the end */
	uint32_t running_count;
	uint32_t *refused; /* indices of threads that only their processor time can tell about */
	uint64_t *refused_cpu_ns;
	uint32_t refused_count;
	unsigned char *deep; /* for stacks that the first copy does not hold */
	size_t deep_size;
	struct candidate batch[BATCH];
	struct thread_view view;
};

/* ---- records by tid ---- */

static uint32_t slot_of(int tid)
{
	return (uint32_t)tid * 2654435761u >> 7;
}

static void index_records(struct reader *reader)
{
	uint32_t count = 0;
	for (struct thread_record *record = threads_first(); record; record = record->next)
		count++;
	uint32_t size = 64;
	while (size < count * 2 + 64)
		size *= 2;
	reader->by_tid = work_alloc_array(size, sizeof(*reader->by_tid));
	reader->by_tid_mask = size - 1;
	for (struct thread_record *record = threads_first(); record && count; record = record->next, count--) {
		int tid = atomic_load_explicit(&record->tid, memory_order_relaxed);
		if (tid == 0 || atomic_load_explicit(&record->state, memory_order_relaxed) != THREAD_LIVE)
			continue;
		uint32_t at = slot_of(tid) & reader->by_tid_mask;
		while (reader->by_tid[at] && atomic_load_explicit(&reader->by_tid[at]->tid, memory_order_relaxed) != tid)
			at = (at + 1) & reader->by_tid_mask;
		/* Two of one tid: the older one's thread has ended unseen, and the number was given out again. */
		if (reader->by_tid[at] && reader->by_tid[at]->started_ns > record->started_ns)
			continue;
		reader->record_count += !reader->by_tid[at];
		reader->by_tid[at] = record;
	}
}

static struct thread_record *record_of(const struct reader *reader, int tid)
{
	uint32_t at = slot_of(tid) & reader->by_tid_mask;
	for (struct thread_record *record; (record = reader->by_tid[at]); at = (at + 1) & reader->by_tid_mask)
		if (atomic_load_explicit(&record->tid, memory_order_relaxed) == tid &&
		    atomic_load_explicit(&record->state, memory_order_relaxed) == THREAD_LIVE)
			return record;
	return NULL;
}

/* Records whose thread has ended without our seeing it: pthread_exit through code that cannot be unwound, clone()d threads. */
static void reap_records(struct reader *reader, uint64_t listed_ns)
{
	uint32_t listed = 0;
	for (uint32_t i = 0; i < reader->tasks.count; i++)
		listed += record_of(reader, reader->tasks.tids[i]) != NULL;
	if (listed >= reader->record_count)
		return;
	for (uint32_t at = 0; at <= reader->by_tid_mask; at++) {
		struct thread_record *record = reader->by_tid[at];
		int tid = record ? atomic_load(&record->tid) : 0;
		if (tid && record->started_ns < listed_ns && sys3(SYS_tgkill, process.pid, tid, 0) == -ESRCH)
			thread_record_ended(record);
	}
}

/* ---- looking at one thread ---- */

/* What the thread has published; false: nothing, or it changes right now. */
static bool read_published(struct candidate *candidate)
{
	struct thread_record *record = candidate->record;
	uint32_t sequence = atomic_load_explicit(&record->wait_sequence, memory_order_acquire);
	if (!(sequence & 1))
		return false;
	candidate->call = (enum wait_call)atomic_load_explicit(&record->wait_call, memory_order_relaxed);
	candidate->object = atomic_load_explicit(&record->wait_object, memory_order_relaxed);
	candidate->since_ticks = atomic_load_explicit(&record->wait_since_ticks, memory_order_relaxed);
	candidate->registers = record->wait_registers;
	candidate->sequence = sequence;
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&record->wait_sequence, memory_order_relaxed) == sequence;
}

/* Where the copy of its stack begins and how much of it is copied at first. */
static void plan_copy(struct candidate *candidate)
{
	uintptr_t sp = candidate->registers.sp, low = sp - RED_ZONE;
	uintptr_t high = (low + FIRST_COPY + 4095) & ~(uintptr_t)4095;
	const struct thread_record *record = candidate->record;
	if (record && sp >= record->stack_low && sp < record->stack_high && high > record->stack_high)
		high = record->stack_high;
	candidate->copy = (struct unwind_copy){ .low = low, .bytes = candidate->room, .size = high - low };
}

static enum seen look(const struct reader *reader, struct candidate *candidate)
{
	candidate->record = record_of(reader, candidate->tid);
	candidate->stop.fd = -1;
	if (candidate->record && read_published(candidate)) {
		plan_copy(candidate);
		return SEEN_WAITING;
	}
	if (!reader->has_proc)
		return SEEN_REFUSED;
	candidate->call = WAIT_NONE;
	switch (task_stop_read(candidate->tid, &candidate->stop)) {
	case TASK_GONE:
		return SEEN_GONE;
	case TASK_REFUSED:
		return SEEN_REFUSED;
	case TASK_RUNNING:
		return SEEN_RUNNING;
	case TASK_BLOCKED:
		break;
	}
	candidate->registers = (struct unwind_registers){
		.pc = candidate->stop.pc, .sp = candidate->stop.sp, .known = 1u << 7, /* rsp */
	};
	candidate->object = candidate->stop.argument;
	plan_copy(candidate);
	return SEEN_BLOCKED;
}

static bool is_still(const struct candidate *candidate)
{
	if (candidate->seen == SEEN_BLOCKED)
		return task_stop_again(&candidate->stop);
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&candidate->record->wait_sequence, memory_order_relaxed) == candidate->sequence;
}

/* ---- copying stacks ---- */

static void *address(uintptr_t value)
{
	return (void *)value;
}

/* Copies the stacks planned, as many as possible at once; copy.size becomes what could be had. */
static void copy_stacks(struct candidate *const *candidates, uint32_t count)
{
	for (uint32_t done = 0; done < count;) {
		struct iovec local[BATCH], remote[BATCH];
		uint32_t pieces = 0;
		for (uint32_t i = done; i < count; i++, pieces++) {
			size_t size = candidates[i]->copy.size;
			local[pieces] = (struct iovec){ candidates[i]->room, size };
			remote[pieces] = (struct iovec){ address(candidates[i]->copy.low), size };
		}
		long copied = 0;
		if (sys_may_copy_directly())
			copied = sys6(SYS_process_vm_readv, process.pid, (long)local, pieces, (long)remote, pieces, 0);
		if (copied < 0 && copied != -EFAULT)
			copied = 0;
		while (done < count && (size_t)copied >= candidates[done]->copy.size)
			copied -= (long)candidates[done++]->copy.size;
		if (done == count)
			return;
		/* This one stopped it: at the end of a mapping, or because such copies are refused here. */
		struct candidate *candidate = candidates[done++];
		if (copied == 0)
			copied = sys_copy_memory(candidate->room, address(candidate->copy.low), candidate->copy.size);
		if (copied <= 0) {
			/* Perhaps only the red zone is not there. */
			candidate->copy.low += RED_ZONE;
			copied = sys_copy_memory(candidate->room, address(candidate->copy.low), candidate->copy.size - RED_ZONE);
		}
		candidate->copy.size = copied > 0 ? (size_t)copied : 0;
	}
}

/* Copies more of this stack than before. False: there is no more. */
static bool copy_deeper(struct reader *reader, struct candidate *candidate)
{
	size_t wanted = candidate->copy.size * 4;
	if (candidate->copy.size == 0 || wanted > DEEPEST_COPY)
		return false;
	const struct thread_record *record = candidate->record;
	uintptr_t low = candidate->copy.low;
	if (record && low >= record->stack_low && low < record->stack_high && wanted > record->stack_high - low)
		wanted = record->stack_high - low;
	if (wanted > reader->deep_size) {
		reader->deep = work_alloc(wanted);
		reader->deep_size = wanted;
	}
	long copied = sys_copy_memory(reader->deep, address(low), wanted);
	if (copied <= (long)candidate->copy.size)
		return false;
	candidate->copy.bytes = reader->deep;
	candidate->copy.size = (size_t)copied;
	return true;
}

/* ---- telling ---- */

/* Takes out the frames of our own in the middle: start routines, hooks of malloc. */
static void leave_own_out(struct frames *frames)
{
	uint32_t kept = frames->count ? 1 : 0;
	for (uint32_t i = 1; i < frames->count; i++)
		if (frames->at[i] < PSEUDO_LIMIT || !unwind_is_own(frames->at[i]))
			frames->at[kept++] = frames->at[i];
	frames->count = kept;
}

static void only_frame(struct frames *frames, enum pseudo_frame frame)
{
	*frames = (struct frames){ .count = 1, .at = { frame } };
}

/* The leaf that a futex wait has when no wrapper names it. */
static void put_leaf(struct frames *frames, enum pseudo_frame frame)
{
	uint32_t kept = frames->count < FRAMES_MAX ? frames->count : FRAMES_MAX - 1;
	memmove(frames->at + 1, frames->at, kept * sizeof(frames->at[0]));
	frames->at[0] = frame;
	frames->count = kept + 1;
}

static void tell(struct reader *reader, uint32_t index, int tid, const struct thread_record *record)
{
	struct thread_view *view = &reader->view;
	view->tid = tid;
	view->creation_stack = record ? record->creation_stack : 0;
	view->creator_tid = record ? record->creator_tid : 0;
	view->start_routine = record ? record->start_routine : 0;
	view->name[0] = '\0';
	view->state = '?';
	if (reader->details && reader->has_proc) {
		task_name(tid, view->name, sizeof(view->name));
		view->state = task_state_letter(tid);
	}
	leave_own_out(&view->frames);
	reader->visit(reader->arg, index, view);
}

static void view_nothing(struct thread_view *view)
{
	view->call = WAIT_NONE;
	view->syscall_number = -1;
	view->wait_object = 0;
	view->waiting_ns = -1;
}

static void tell_only(struct reader *reader, uint32_t index, enum pseudo_frame frame)
{
	int tid = reader->tasks.tids[index];
	view_nothing(&reader->view);
	only_frame(&reader->view.frames, frame);
	tell(reader, index, tid, record_of(reader, tid));
}

/* How long the published wait has lasted; -1: this dump is the first to see it, and its beginning was not noted. */
static int64_t waiting_ns(const struct candidate *candidate)
{
	struct thread_record *record = candidate->record;
	if (candidate->since_ticks)
		return (int64_t)ticks_since_ns(candidate->since_ticks);
	uint64_t now_ns = monotonic_ns();
	if (record->seen_sequence == candidate->sequence)
		return (int64_t)(now_ns - record->seen_ns);
	record->seen_sequence = candidate->sequence;
	record->seen_ns = now_ns;
	return -1;
}

/* Unwinds what was copied, copying more where it is needed, and tells. False: the thread has moved meanwhile. */
static bool unwind_and_tell(struct reader *reader, struct candidate *candidate)
{
	struct thread_view *view = &reader->view;
	while (unwind_copied(&candidate->registers, &candidate->copy, &view->frames) == UNWIND_NEEDS_MORE) {
		if (!copy_deeper(reader, candidate))
			break;
		if (!is_still(candidate))
			return false;
	}
	view_nothing(view);
	view->wait_object = candidate->object;
	if (candidate->seen == SEEN_BLOCKED) {
		view->syscall_number = (int)candidate->stop.number;
		if (candidate->stop.number == SYS_futex)
			put_leaf(&view->frames, PSEUDO_FUTEX);
	} else {
		view->call = candidate->call;
		view->waiting_ns = waiting_ns(candidate);
		if (view->frames.count)
			view->frames.at[0] = wait_leaf(candidate->call, view->frames.at[0]);
	}
	tell(reader, candidate->index, candidate->tid, candidate->record);
	return true;
}

/* ---- one thread, many threads ---- */

static void put_off(struct reader *reader, const struct candidate *candidate)
{
	if (candidate->seen == SEEN_REFUSED) {
		reader->refused_cpu_ns[reader->refused_count] = task_cpu_ns(candidate->tid);
		reader->refused[reader->refused_count++] = candidate->index;
	} else if (candidate->seen == SEEN_RUNNING) {
		reader->running[reader->running_count++] = candidate->index;
	}
}

/* Reads one thread that has been told apart as moving, or may have blocked since; what it is in the end. */
static enum seen read_one(struct reader *reader, uint32_t index)
{
	struct candidate *candidate = &reader->batch[0];
	enum seen seen = SEEN_RUNNING;
	for (int tries = 0; tries < TRIES; tries++) {
		candidate->index = index;
		candidate->tid = reader->tasks.tids[index];
		candidate->seen = seen = look(reader, candidate);
		if (seen != SEEN_WAITING && seen != SEEN_BLOCKED)
			return seen;
		copy_stacks((struct candidate *const[]){ candidate }, 1);
		bool told = is_still(candidate) && unwind_and_tell(reader, candidate);
		task_stop_close(&candidate->stop);
		if (told)
			return seen;
	}
	loss_count(LOSS_THREAD_MOVED);
	return SEEN_RUNNING;
}

/* Reads up to BATCH threads from `first` on; returns how many. */
static uint32_t read_batch(struct reader *reader, uint32_t first)
{
	struct candidate *copied[BATCH];
	uint32_t moved[BATCH];
	uint32_t copied_count = 0, moved_count = 0, taken = 0;
	for (; taken < BATCH && first + taken < reader->tasks.count; taken++) {
		struct candidate *candidate = &reader->batch[taken];
		candidate->index = first + taken;
		candidate->tid = reader->tasks.tids[candidate->index];
		if (candidate->tid == reader->service_tid || candidate->tid == reader->self_tid)
			continue;
		candidate->seen = look(reader, candidate);
		if (candidate->seen == SEEN_WAITING || candidate->seen == SEEN_BLOCKED)
			copied[copied_count++] = candidate;
		else
			put_off(reader, candidate);
	}
	copy_stacks(copied, copied_count);
	for (uint32_t i = 0; i < copied_count; i++)
		if (!is_still(copied[i]) || !unwind_and_tell(reader, copied[i]))
			moved[moved_count++] = copied[i]->index;
	for (uint32_t i = 0; i < copied_count; i++)
		task_stop_close(&copied[i]->stop);
	for (uint32_t i = 0; i < moved_count; i++) {
		struct candidate again = { .index = moved[i], .tid = reader->tasks.tids[moved[i]] };
		again.seen = read_one(reader, moved[i]);
		put_off(reader, &again);
	}
	return taken;
}

/* ---- asking running threads ---- */

struct asked {
	uint32_t index, slot;
};

struct asking {
	struct asked threads[DUMP_SLOTS]; /* who has not answered yet */
	uint32_t count;
	uint32_t free_slots[DUMP_SLOTS];
	uint32_t free_count;
};

static void pause_ns(long time_ns)
{
	struct timespec time = { 0, time_ns };
	sys3(SYS_nanosleep, (long)&time, 0, 0);
}

/* Looks again at a thread that was running, and asks it if it still is. */
static void ask(struct reader *reader, struct asking *asking, uint32_t index)
{
	int tid = reader->tasks.tids[index];
	enum seen seen = reader->has_proc ? read_one(reader, index) : SEEN_REFUSED;
	if (seen != SEEN_RUNNING && seen != SEEN_REFUSED)
		return;
	if (reader->has_proc && task_blocks(tid, our_signal(OUR_DUMPS))) {
		tell_only(reader, index, PSEUDO_NO_ANSWER);
		return;
	}
	uint32_t slot = asking->free_slots[asking->free_count - 1];
	if (dump_ask(slot, tid)) {
		asking->free_count--;
		asking->threads[asking->count++] = (struct asked){ index, slot };
	} else if (sys3(SYS_tgkill, process.pid, tid, 0) == 0) {
		loss_count(LOSS_THREAD_SILENT);
		tell_only(reader, index, PSEUDO_NO_ANSWER);
	}
}

/* Tells of those who have answered. */
static void gather(struct reader *reader, struct asking *asking)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < asking->count; i++) {
		struct asked asked = asking->threads[i];
		if (!dump_answered(asked.slot)) {
			asking->threads[kept++] = asked;
			continue;
		}
		int tid = reader->tasks.tids[asked.index];
		view_nothing(&reader->view);
		reader->view.frames = *dump_frames(asked.slot);
		tell(reader, asked.index, tid, record_of(reader, tid));
		asking->free_slots[asking->free_count++] = asked.slot;
	}
	asking->count = kept;
}

static void gather_until(struct reader *reader, struct asking *asking, uint64_t wait_ns)
{
	uint64_t end_ns = monotonic_ns() + wait_ns;
	gather(reader, asking);
	while (asking->count > 0 && monotonic_ns() < end_ns) {
		pause_ns(POLL_NS);
		gather(reader, asking);
	}
}

/* The end of the waiting. Who has not answered may have blocked before the signal reached it, so it is looked at once more. */
static void give_up(struct reader *reader, struct asking *asking)
{
	for (uint32_t i = 0; i < asking->count; i++) {
		struct asked asked = asking->threads[i];
		/* A slot that is being written this moment is lost until the thread is done with it. */
		if (!dump_cancel(asked.slot) || dump_answered(asked.slot))
			continue;
		asking->free_slots[asking->free_count++] = asked.slot;
	}
	gather(reader, asking);
	for (uint32_t i = 0; i < asking->count; i++) {
		enum seen seen = reader->has_proc ? read_one(reader, asking->threads[i].index) : SEEN_RUNNING;
		if (seen != SEEN_RUNNING && seen != SEEN_REFUSED)
			continue;
		loss_count(LOSS_THREAD_SILENT);
		tell_only(reader, asking->threads[i].index, PSEUDO_NO_ANSWER);
	}
	asking->count = 0;
}

static void ask_running(struct reader *reader)
{
	bool can_ask = reader->running_count > 0 && dump_begin();
	struct asking *asking = can_ask ? work_alloc(sizeof(*asking)) : NULL;
	for (uint32_t slot = 0; can_ask && slot < DUMP_SLOTS; slot++)
		asking->free_slots[asking->free_count++] = slot;
	for (uint32_t i = 0; i < reader->running_count; i++) {
		if (!can_ask) {
			tell_only(reader, reader->running[i], PSEUDO_NO_ANSWER);
			continue;
		}
		if (asking->free_count == 0)
			give_up(reader, asking);
		if (asking->free_count == 0)
			tell_only(reader, reader->running[i], PSEUDO_NO_ANSWER);
		else
			ask(reader, asking, reader->running[i]);
		if ((i + 1) % ASK_BATCH == 0)
			gather_until(reader, asking, ASK_WAIT_NS);
	}
	if (!can_ask)
		return;
	gather_until(reader, asking, LATE_WAIT_NS);
	give_up(reader, asking);
}

/* Where /proc tells nothing: who uses processor time within some milliseconds runs, nobody else is disturbed. */
static void sort_refused(struct reader *reader)
{
	if (reader->refused_count == 0)
		return;
	pause_ns(CPU_PAUSE_NS);
	for (uint32_t i = 0; i < reader->refused_count; i++) {
		uint32_t index = reader->refused[i];
		uint64_t used_ns = task_cpu_ns(reader->tasks.tids[index]);
		if (used_ns > reader->refused_cpu_ns[i])
			reader->running[reader->running_count++] = index;
		else if (used_ns)
			tell_only(reader, index, PSEUDO_UNKNOWN);
	}
}

/* ---- all of them ---- */

/* The threads of the registry, where there is no /proc; oldest records first. */
static void list_records(struct reader *reader)
{
	uint32_t room = 0;
	for (struct thread_record *record = threads_first(); record; record = record->next)
		room++;
	int *tids = work_alloc_array(room + 1, sizeof(*tids));
	uint32_t at = room;
	for (struct thread_record *record = threads_first(); record && at; record = record->next) {
		int tid = atomic_load(&record->tid);
		if (tid && atomic_load(&record->state) == THREAD_LIVE)
			tids[--at] = tid;
	}
	reader->tasks = (struct task_list){ tids + at, room - at };
}

/* The thread that asks, when it is one of the host's. */
static __attribute__((noinline)) void tell_self(struct reader *reader)
{
	struct unwind_registers here;
	for (uint32_t i = 0; i < reader->tasks.count; i++) {
		if (reader->tasks.tids[i] != reader->self_tid || reader->self_tid == reader->service_tid)
			continue;
		UNWIND_HERE(&here);
		view_nothing(&reader->view);
		unwind_self(&here, true, &reader->view.frames);
		tell(reader, i, reader->self_tid, record_of(reader, reader->self_tid));
	}
}

void threads_read(bool details, void (*announce)(void *arg, uint32_t count), thread_visit *visit, void *arg)
{
	struct reader *reader = work_alloc(sizeof(*reader));
	reader->details = details;
	reader->visit = visit;
	reader->arg = arg;
	reader->self_tid = sys_gettid();
	reader->service_tid = life_service_tid();
	unsigned char *room = work_alloc((size_t)BATCH * FIRST_COPY_MAX);
	for (uint32_t i = 0; i < BATCH; i++)
		reader->batch[i].room = room + (size_t)i * FIRST_COPY_MAX;
	uint64_t listed_ns = monotonic_ns();
	reader->has_proc = proc_tasks_list(&reader->tasks);
	if (!reader->has_proc)
		list_records(reader);
	index_records(reader);
	if (reader->has_proc)
		reap_records(reader, listed_ns);
	reader->running = work_alloc_array(reader->tasks.count + 1, sizeof(*reader->running));
	reader->refused = work_alloc_array(reader->tasks.count + 1, sizeof(*reader->refused));
	reader->refused_cpu_ns = work_alloc_array(reader->tasks.count + 1, sizeof(*reader->refused_cpu_ns));
	if (announce)
		announce(arg, reader->tasks.count);
	tell_self(reader);
	for (uint32_t first = 0; first < reader->tasks.count;)
		first += read_batch(reader, first);
	sort_refused(reader);
	ask_running(reader);
	proc_tasks_close();
}
