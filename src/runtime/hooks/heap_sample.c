/* heap_sample.c - the slow side of the allocation hooks.
 *
 * All of it runs with the host's signals blocked: a handler that allocates cannot find a lock of ours held, and one that
 * jumps away cannot leave the guard set.
 */
#include "runtime/hooks/heap_sample.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "runtime/hooks/heap_math.h"
#include "runtime/hooks/malloc.h"
#include "runtime/hooks/malloc_real.h"
#include "runtime/life.h"
#include "runtime/shared/process.h"
#include "runtime/shared/settings.h"
#include "runtime/shared/stack_table.h"
#include "runtime/shared/sys.h"
#include "runtime/signal/unwind.h"

#define FAR_AWAY INT64_MAX /* bytes to a sample that never comes */

static _Atomic int state; /* enum heap_state */
static uint64_t rate;
static _Atomic uint64_t seed;

/* The thread that asks in heap_call_reaches_hooks(), and the answer. */
static _Atomic int asking_tid;
static _Atomic bool reached;

struct section {
	uint64_t signals;
	int error;
};

static void begin(struct section *section)
{
	section->error = errno;
	sys_block_signals(&section->signals);
	tls.guard++;
	process_check();
}

static void end(const struct section *section)
{
	tls.guard--;
	sys_restore_signals(&section->signals);
	errno = section->error;
}

enum heap_state heap_state(void)
{
	return (enum heap_state)atomic_load_explicit(&state, memory_order_acquire);
}

static void malloc_and_free(void *arg)
{
	(void)arg;
	real_first_free(real_first_malloc(1));
}

/* A malloc in front of ours may be a wrapper that comes to us in the end; or the procedure linkage table of an executable at
 * a fixed address, where it takes malloc's address. It is asked, but only from the constructor: it might be setting itself
 * up when it comes here first. */
static enum heap_state decide(bool may_ask)
{
	if (settings.disabled || settings.heap_off || settings.heap_rate == 0)
		return HEAP_OFF_SETTING;
	if (real_owner() == MALLOC_TOO_LATE)
		return HEAP_OFF_LATE;
	if (real_owner() == MALLOC_OURS)
		return HEAP_ON;
	if (!may_ask)
		return HEAP_UNDECIDED;
	return heap_call_reaches_hooks(malloc_and_free, NULL) ? HEAP_ON : HEAP_OFF_OWN;
}

static void mix_seed(void)
{
	uint64_t random[2] = { 0, 0 };
	unsigned long from_kernel = getauxval(AT_RANDOM);
	if (from_kernel)
		memcpy(random, (const void *)from_kernel, sizeof(random));
	atomic_fetch_add(&seed, random[0] ^ (random[1] << 1) ^ monotonic_ns() ^ (uint64_t)sys_getpid() << 40);
}

/* Two threads may come here at once; both find the same. */
static void initialize(bool may_ask)
{
	if (heap_state() != HEAP_UNDECIDED || !environ || !real_resolve())
		return;
	int kept = errno;
	settings_read();
	enum heap_state decided = decide(may_ask);
	rate = settings.heap_rate < HEAP_RATE_MAX ? settings.heap_rate : HEAP_RATE_MAX;
	if (decided == HEAP_ON) {
		if (rate <= 1)
			live_table_be_patient();
		process_init();
		unwind_init();
		mix_seed();
	}
	atomic_store_explicit(&state, decided, memory_order_release);
	errno = kept;
}

void heap_init(void)
{
	initialize(true);
	/* The first call may have come before it was known that this process is not to be profiled. */
	if (settings.disabled && heap_state() == HEAP_ON)
		atomic_store_explicit(&state, HEAP_OFF_SETTING, memory_order_release);
}

void heap_stop(void)
{
	atomic_store_explicit(&state, HEAP_OFF_FILTER, memory_order_release);
}

void heap_forked(void)
{
	stack_table_forked();
	live_table_forked();
	/* Siblings must not draw the same numbers; what is left of this thread's gap has no memory, it may be drawn anew. */
	mix_seed();
	tls.random = 0;
	tls.heap_left = 0;
}

bool heap_due(size_t size)
{
	uint64_t counted = (uint64_t)size + (size == 0);
	enum heap_state now = heap_state();
	if (tls.guard) {
		int asking = atomic_load_explicit(&asking_tid, memory_order_relaxed);
		if (asking && asking == sys_gettid())
			atomic_store(&reached, true);
		return false;
	}
	if (now == HEAP_UNDECIDED) {
		initialize(false);
		now = heap_state();
		if (now == HEAP_UNDECIDED)
			return false;
	}
	if (now != HEAP_ON) {
		tls.heap_left = FAR_AWAY;
		return false;
	}
	if (tls.random) {
		tls.heap_left = (int64_t)heap_gap(random_next(&tls.random), rate);
		return true;
	}
	/* The thread's first allocation, against its first gap. */
	tls.random = random_seed(atomic_fetch_add(&seed, 0x9E3779B97F4A7C15u));
	uint64_t gap = heap_gap(random_next(&tls.random), rate);
	bool due = counted > gap;
	tls.heap_left = (int64_t)(due ? heap_gap(random_next(&tls.random), rate) : gap - counted);
	return due;
}

HEAP_SLOW void heap_record(const void *block, size_t size)
{
	if (!block || heap_state() != HEAP_ON)
		return;
	struct section section;
	struct unwind_registers registers;
	struct frames frames;
	begin(&section);
	UNWIND_HERE(&registers);
	unwind_self(&registers, true, &frames);
	struct heap_weight weight = heap_weigh(size, rate, random_next(&tls.random));
	struct live_sample sample = {
		.address = (uintptr_t)block,
		.size = size,
		.objects = weight.objects,
		.bytes = weight.bytes,
		.time_ns = monotonic_ns(),
		.stack = stack_table_add(frames.at, frames.count),
	};
	live_table_add(&sample);
	end(&section);
	life_sampled();
	errno = section.error;
}

HEAP_SLOW bool heap_forget(const void *block, struct live_sample *ret_sample)
{
	if (heap_state() == HEAP_OFF_FILTER || !live_table_may_have(block))
		return false;
	if (tls.guard) {
		live_table_remove_later(block);
		return false;
	}
	struct section section;
	begin(&section);
	bool found = live_table_remove(block, ret_sample);
	end(&section);
	return found;
}

HEAP_SLOW void heap_remember(const struct live_sample *sample)
{
	struct section section;
	begin(&section);
	live_table_restore(sample);
	end(&section);
}

bool heap_call_reaches_hooks(void (*call)(void *arg), void *arg)
{
	int64_t left = tls.heap_left;
	atomic_store(&reached, false);
	atomic_store(&asking_tid, sys_gettid());
	tls.guard++;
	tls.heap_left = 0;
	call(arg);
	tls.heap_left = left;
	tls.guard--;
	atomic_store(&asking_tid, 0);
	return atomic_load(&reached);
}
