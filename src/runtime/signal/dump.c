/* dump.c - the signal that asks a running thread for its stack: sending it, and the handler's part. Not which threads are asked,
 * nor how long one waits for them (collect/).
 *
 * A signal carries the number of a slot and the generation of the dump, so that one that arrives after its dump has ended does
 * nothing. The word of a slot holds both, with the state in its lowest bits; handler and dump move it on by
 * compare-and-swap, so that a slot is never written after it has been given up.
 */
#include "runtime/signal/dump.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "runtime/shared/pages.h"
#include "runtime/shared/process.h"
#include "runtime/shared/sys.h"
#include "runtime/signal/our_signal.h"
#include "runtime/signal/stack_memory.h"
#include "runtime/signal/unwind.h"

enum slot_state { SLOT_IDLE, SLOT_ASKED, SLOT_WRITING, SLOT_DONE };

struct slot {
	_Atomic uint64_t word; /* generation << 2 | enum slot_state */
	struct frames frames;
};

static struct slot *slots;
static uint64_t generation;

bool dump_handle(const siginfo_t *info, const ucontext_t *context)
{
	uint64_t value = (uint64_t)(uintptr_t)info->si_value.sival_ptr;
	struct slot *slot = &slots[value % DUMP_SLOTS];
	uint64_t asked = (value & 0xFFFFFFFFFFFFu) / DUMP_SLOTS << 2 | SLOT_ASKED;
	uint64_t found = asked;
	if (atomic_compare_exchange_strong(&slot->word, &found, asked - SLOT_ASKED + SLOT_WRITING)) {
		unwind_context(context, stack_memory_thread(), &slot->frames);
		atomic_store_explicit(&slot->word, asked - SLOT_ASKED + SLOT_DONE, memory_order_release);
	}
	return true;
}

bool dump_begin(void)
{
	if (!slots)
		slots = pages_map(DUMP_SLOTS * sizeof(struct slot));
	if (!slots)
		return false;
	generation++;
	unwind_init();
	return our_signal_choose(OUR_DUMPS) != 0;
}

static enum slot_state state_of(uint32_t slot)
{
	return (enum slot_state)(atomic_load_explicit(&slots[slot].word, memory_order_acquire) & 3);
}

bool dump_ask(uint32_t slot, int tid)
{
	/* Still being written for an earlier dump: that thread has been held up inside our handler for that long. */
	if (state_of(slot) == SLOT_WRITING)
		return false;
	siginfo_t info;
	memset(&info, 0, sizeof(info));
	info.si_signo = our_signal(OUR_DUMPS);
	info.si_code = SI_QUEUE;
	info.si_pid = process.pid;
	info.si_uid = (uid_t)sys3(SYS_getuid, 0, 0, 0);
	uint64_t kept = generation & 0xFFFFFFFFFFu;
	info.si_value.sival_ptr = (void *)(uintptr_t)(OUR_MARK_DUMP << 48 | kept * DUMP_SLOTS | slot);
	atomic_store(&slots[slot].word, kept << 2 | SLOT_ASKED);
	if (sys4(SYS_rt_tgsigqueueinfo, process.pid, tid, info.si_signo, (long)&info) == 0)
		return true;
	atomic_store(&slots[slot].word, kept << 2 | SLOT_IDLE);
	return false;
}

bool dump_answered(uint32_t slot)
{
	return state_of(slot) == SLOT_DONE;
}

const struct frames *dump_frames(uint32_t slot)
{
	return &slots[slot].frames;
}

bool dump_cancel(uint32_t slot)
{
	uint64_t word = atomic_load(&slots[slot].word);
	while ((word & 3) == SLOT_ASKED)
		if (atomic_compare_exchange_strong(&slots[slot].word, &word, word - SLOT_ASKED + SLOT_IDLE))
			return true;
	return (word & 3) != SLOT_WRITING;
}

void dump_forked(void)
{
	for (uint32_t slot = 0; slots && slot < DUMP_SLOTS; slot++)
		atomic_store(&slots[slot].word, SLOT_IDLE);
	generation++;
}
