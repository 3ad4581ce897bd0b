/* dump.c - the signal that asks a running thread for its stack: sending it, and the handler. Not which threads are asked, nor
 * how long one waits for them (collect/).
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
#include "runtime/shared/settings.h"
#include "runtime/shared/sys.h"
#include "runtime/signal/resume.h"
#include "runtime/signal/unwind.h"

#define HIGHEST_SIGNAL 64
#define LOWEST_SIGNAL 34 /* 32 and 33 are glibc's own */
#define OUR_MARK ((uint64_t)0xC99F)

/* As rt_sigaction wants it; libc's sigaction() would put its own restorer there and may be wrapped by others. */
struct kernel_sigaction {
	void (*handler)(int, siginfo_t *, void *);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};
#define KERNEL_SA_RESTORER 0x04000000ul

enum slot_state { SLOT_IDLE, SLOT_ASKED, SLOT_WRITING, SLOT_DONE };

struct slot {
	_Atomic uint64_t word; /* generation << 2 | enum slot_state */
	struct frames frames;
};

static struct slot *slots;
static uint64_t generation;
static _Atomic int signal_in_use;

/* Where the kernel returns to from the handler: these bytes, which debuggers and unwinders know a signal frame by. */
__attribute__((naked, used)) static void restore(void)
{
	__asm__("movq $15, %rax\n\t" /* rt_sigreturn */
	        "syscall");
}

static long change_action(int number, const struct kernel_sigaction *new, struct kernel_sigaction *ret_old)
{
	return sys4(SYS_rt_sigaction, number, (long)new, (long)ret_old, sizeof(new->mask));
}

/* Somebody else's signal of this number: it does what it would have done without us, which is to end the process. */
static void not_ours(int number)
{
	struct kernel_sigaction standard = { .handler = NULL };
	change_action(number, &standard, NULL);
	sys3(SYS_tgkill, sys_getpid(), sys_gettid(), number);
}

static void handle(int number, siginfo_t *info, void *context)
{
	uint64_t value = (uint64_t)(uintptr_t)info->si_value.sival_ptr;
	if (info->si_code != SI_QUEUE || info->si_pid != process.pid || value >> 48 != OUR_MARK) {
		not_ours(number);
		return;
	}
	struct slot *slot = &slots[value % DUMP_SLOTS];
	uint64_t asked = (value & 0xFFFFFFFFFFFFu) / DUMP_SLOTS << 2 | SLOT_ASKED;
	uint64_t found = asked;
	if (atomic_compare_exchange_strong(&slot->word, &found, asked - SLOT_ASKED + SLOT_WRITING)) {
		unwind_context(context, &slot->frames);
		atomic_store_explicit(&slot->word, asked - SLOT_ASKED + SLOT_DONE, memory_order_release);
	}
	resume_call(context);
}

static bool is_ours(int number)
{
	struct kernel_sigaction now;
	return change_action(number, NULL, &now) == 0 && now.handler == handle;
}

static bool install(int number)
{
	struct kernel_sigaction now;
	if (change_action(number, NULL, &now) != 0 || now.handler)
		return false;
	struct kernel_sigaction ours = {
		.handler = handle,
		.flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK | KERNEL_SA_RESTORER,
		.restorer = restore,
		.mask = ~(uint64_t)0,
	};
	return change_action(number, &ours, NULL) == 0;
}

static bool choose_signal(void)
{
	int number = atomic_load(&signal_in_use);
	if (number && is_ours(number))
		return true;
	for (number = HIGHEST_SIGNAL; number >= LOWEST_SIGNAL; number--) {
		if (!install(number))
			continue;
		atomic_store(&signal_in_use, number);
		return true;
	}
	return false;
}

bool dump_begin(void)
{
	if (settings.signals_off || settings.disabled)
		return false;
	if (!slots)
		slots = pages_map(DUMP_SLOTS * sizeof(struct slot));
	if (!slots)
		return false;
	generation++;
	unwind_init();
	return choose_signal();
}

int dump_signal(void)
{
	return atomic_load(&signal_in_use);
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
	info.si_signo = dump_signal();
	info.si_code = SI_QUEUE;
	info.si_pid = process.pid;
	info.si_uid = (uid_t)sys3(SYS_getuid, 0, 0, 0);
	uint64_t kept = generation & 0xFFFFFFFFFFu;
	info.si_value.sival_ptr = (void *)(uintptr_t)(OUR_MARK << 48 | kept * DUMP_SLOTS | slot);
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
