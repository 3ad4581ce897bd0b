/* wait_record.c - which waits are kept, and how one is added to the sums: the slow side of the wrappers. */
#include "runtime/hooks/wait_record.h"

#include <errno.h>
#include <signal.h>

#include "runtime/hooks/real.h"
#include "runtime/hooks/waiters.h"
#include "runtime/shared/losses.h"
#include "runtime/shared/process.h"
#include "runtime/shared/random.h"
#include "runtime/shared/settings.h"
#include "runtime/shared/stack_table.h"
#include "runtime/shared/sys.h"
#include "runtime/shared/ticks.h"
#include "runtime/shared/tls.h"
#include "runtime/signal/stack_memory.h"

#define STACK_ROOM 8192u

uint64_t wait_rates[CONTENTION_KINDS];
uint64_t wait_floor_ticks;

/* Not tls.random: that this is 0 tells the heap's sampling that the thread has not allocated yet. */
static __thread uint64_t draws __attribute__((tls_model("initial-exec")));

static uint64_t rate_ticks(uint64_t rate_ns)
{
	if (hooks_off || rate_ns == 0)
		return 0;
	uint64_t ticks = ticks_from_ns(rate_ns);
	return ticks ? ticks : 1;
}

void wait_rates_set(void)
{
	wait_floor_ticks = ticks_from_ns(WAIT_FLOOR_NS);
	wait_rates[CONTENTION_BLOCK] = wait_rates[CONTENTION_MUTEX] = rate_ticks(settings.block_rate_ns);
	wait_rates[CONTENTION_WAIT] = rate_ticks(settings.wait_rate_ns);
	if (hooks_off)
		process_close();
}

static uint64_t draw(void)
{
	if (HOOK_UNLIKELY(!draws))
		draws = random_seed((uintptr_t)&draws ^ ticks_now());
	return random_next(&draws);
}

/* Ticks stand for nanoseconds: only their proportion counts. */
struct wait_weight wait_weigh(enum contention_kind kind, uint64_t wait_ticks)
{
	uint64_t rate = wait_rates[kind], count, kept;
	/* The counters of two processors may be a few ticks apart. */
	if (rate == 0 || (int64_t)wait_ticks <= 0)
		return (struct wait_weight){ 0, 0 };
	if (!contention_sample(wait_ticks, rate, draw(), &count, &kept))
		return (struct wait_weight){ 0, 0 };
	if (wait_ticks >= rate)
		return (struct wait_weight){ count, ticks_to_ns(wait_ticks) };
	return (struct wait_weight){ count, kind == CONTENTION_WAIT ? settings.wait_rate_ns : settings.block_rate_ns };
}

/* The leaf is the wrapper; other frames of ours (start routines, our malloc) are none of the host's business. */
static void leave_own_out(struct frames *frames, enum wait_call call)
{
	uint32_t kept = frames->count ? 1 : 0;
	for (uint32_t i = 1; i < frames->count; i++)
		if (frames->at[i] < PSEUDO_LIMIT || !unwind_is_own(frames->at[i]))
			frames->at[kept++] = frames->at[i];
	frames->count = kept;
	if (kept)
		frames->at[0] = wait_leaf(call, frames->at[0]);
}

/* True if what follows, unwinding above all, finds room on the stack. A handler of the host may wait on a stack that was made for itself
 * alone, with other data below it. */
static bool has_room(uintptr_t sp)
{
	stack_t other = { .ss_flags = SS_DISABLE };
	const struct thread_record *record = tls.thread;
	sys3(SYS_sigaltstack, 0, (long)&other, 0);
	if (other.ss_flags & SS_ONSTACK)
		return sp - (uintptr_t)other.ss_sp >= STACK_ROOM;
	if (record && sp >= record->stack_low && sp < record->stack_high && record->stack_low &&
	    sp - record->stack_low >= STACK_ROOM)
		return true;
	/* What is known of the bound is on the safe side of it by some 80 kB: whether there is a guard page, the kernel tells. */
	return stack_memory_page(sp - STACK_ROOM / 2) && stack_memory_page(sp - STACK_ROOM);
}

static __attribute__((noinline)) uint32_t unwound(const struct unwind_registers *here, enum wait_call call)
{
	struct frames frames;
	unwind_self(here, false, &frames);
	leave_own_out(&frames, call);
	return stack_table_add(frames.at, frames.count);
}

static uint32_t stack_of(const struct unwind_registers *here, enum wait_call call)
{
	if (has_room(here->sp))
		return unwound(here, call);
	loss_count(LOSS_UNWIND_FAILED);
	const uintptr_t leaf[] = { wait_leaf(call, here->pc), PSEUDO_UNWIND_FAILED };
	return stack_table_add(leaf, 2);
}

void wait_record(const struct contention *wait, const struct unwind_registers *here)
{
	int saved = errno;
	uint64_t signals;
	sys_block_signals(&signals);
	tls.guard++;
	process_check();
	struct contention added = *wait;
	added.stack = stack_of(here, wait->call);
	contention_add(&added);
	tls.guard--;
	sys_restore_signals(&signals);
	errno = saved;
}

struct wait_weight unlock_charge(uint64_t lock)
{
	if (tls.guard || wait_rates[CONTENTION_MUTEX] == 0)
		return (struct wait_weight){ 0, 0 };
	process_check();
	return wait_weigh(CONTENTION_MUTEX, waiters_charge(lock, ticks_now()));
}
