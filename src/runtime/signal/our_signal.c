/* our_signal.c - choosing and installing the signal, and the handler that hands it on. Not what is done with one (dump.c, cpu_sample.c).
 */
#include "runtime/signal/our_signal.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "runtime/shared/process.h"
#include "runtime/shared/settings.h"
#include "runtime/shared/sys.h"
#include "runtime/signal/cpu_sample.h"
#include "runtime/signal/dump.h"
#include "runtime/signal/resume.h"

#define HIGHEST_SIGNAL 64
#define LOWEST_SIGNAL 34 /* 32 and 33 are glibc's own */

/* As rt_sigaction wants it; libc's sigaction() would put its own restorer there and may be wrapped by others. */
struct kernel_sigaction {
	void (*handler)(int, siginfo_t *, void *);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};
#define KERNEL_SA_RESTORER 0x04000000ul

static struct {
	_Atomic int number; /* 0 = none yet */
	/* What the host has asked for since: it gets the signals of this number that are not ours. */
	_Atomic(const struct host_action *) host;
} ours[OUR_USES];

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

/* For good, once it has a handler for it, or waits for it. */
static _Atomic bool sigurg_is_the_hosts;
static _Atomic bool sigurg_was_ignored; /* before we took it */

static bool is_ignored_by_default(int number)
{
	return number == SIGURG || number == SIGWINCH || number == SIGCHLD || number == SIGCONT;
}

/* Does what the signal would have done without us: the host's handler, or nothing (false), or the end of the process. */
static bool not_ours(int number, siginfo_t *info, void *context)
{
	enum our_use use = our_signal_use(number);
	const struct host_action *host = use == OUR_USES ? NULL : atomic_load(&ours[use].host);
	uintptr_t handler = host ? host->handler : (uintptr_t)SIG_DFL;
	if (handler == (uintptr_t)SIG_IGN || (handler == (uintptr_t)SIG_DFL && is_ignored_by_default(number)))
		return false;
	if (handler != (uintptr_t)SIG_DFL) {
		if (host->flags & SA_SIGINFO)
			((void (*)(int, siginfo_t *, void *))handler)(number, info, context);
		else
			((void (*)(int))handler)(number);
		return true;
	}
	struct kernel_sigaction standard = { .handler = NULL };
	change_action(number, &standard, NULL);
	sys3(SYS_tgkill, sys_getpid(), sys_gettid(), number);
	return true;
}

static bool hand_on(const siginfo_t *info, const ucontext_t *context)
{
	uint64_t mark = (uint64_t)(uintptr_t)info->si_value.sival_ptr >> 48;
	if (info->si_code == SI_QUEUE)
		return info->si_pid == process.pid && mark == OUR_MARK_DUMP && dump_handle(info, context);
	if (info->si_code == SI_TIMER)
		return mark == OUR_MARK_CPU && cpu_handle(info, context);
	return info->si_code >= POLL_IN && info->si_code <= POLL_HUP && cpu_handle(info, context);
}

/* A sample's signal comes while the thread runs in user mode, or on its way back there, when a system call has its result already: an EINTR
 * that it finds is the host's own. Unless the thread blocks the signal, and it was the call (ppoll, sigsuspend) that has let it through.
 * A dump's comes when it likes. */
static bool may_have_interrupted(const siginfo_t *info, const ucontext_t *context)
{
	uint64_t blocked;
	memcpy(&blocked, &context->uc_sigmask, sizeof(blocked));
	return info->si_code == SI_QUEUE || blocked >> (info->si_signo - 1) & 1 || cpu_signals_interrupt();
}

static void handle(int number, siginfo_t *info, void *context)
{
	if (hand_on(info, context) ? may_have_interrupted(info, context) : !not_ours(number, info, context))
		resume_call(context);
}

static bool is_ours(int number)
{
	struct kernel_sigaction now;
	return change_action(number, NULL, &now) == 0 && now.handler == handle;
}

static bool is_left_alone(int number, const struct kernel_sigaction *now)
{
	return !now->handler || (number == SIGURG && (uintptr_t)now->handler == (uintptr_t)SIG_IGN);
}

static bool install(int number)
{
	struct kernel_sigaction now, replaced;
	if (change_action(number, NULL, &now) != 0 || !is_left_alone(number, &now))
		return false;
	const struct kernel_sigaction action = {
		.handler = handle,
		.flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK | KERNEL_SA_RESTORER,
		.restorer = restore,
		.mask = ~(uint64_t)0,
	};
	if (change_action(number, &action, &replaced) != 0)
		return false;
	if (number == SIGURG)
		atomic_store(&sigurg_was_ignored, (uintptr_t)replaced.handler == (uintptr_t)SIG_IGN);
	if (is_left_alone(number, &replaced) || replaced.handler == handle)
		return true;
	/* The host's, since we looked. */
	change_action(number, &replaced, NULL);
	return false;
}

/* SIGURG: whoever sends it, the default is that nothing happens; and it is not queued. Unless the host has a use for it. */
static int choose_for_samples(void)
{
	if (!atomic_load(&sigurg_is_the_hosts)) {
		if (is_ours(SIGURG))
			return SIGURG;
		atomic_store(&ours[OUR_SAMPLES].host, NULL);
		if (install(SIGURG))
			return SIGURG;
	}
	return our_signal_choose(OUR_DUMPS);
}

static int choose_real_time(void)
{
	int number = our_signal(OUR_DUMPS);
	if (number && is_ours(number))
		return number;
	for (number = HIGHEST_SIGNAL; number >= LOWEST_SIGNAL; number--) {
		if (!install(number))
			continue;
		atomic_store(&ours[OUR_DUMPS].host, NULL);
		return number;
	}
	return 0;
}

int our_signal_choose(enum our_use use)
{
	if (settings.signals_off || settings.disabled)
		return 0;
	int number = use == OUR_SAMPLES ? choose_for_samples() : choose_real_time();
	atomic_store(&ours[use].number, number);
	return number;
}

int our_signal(enum our_use use)
{
	return atomic_load_explicit(&ours[use].number, memory_order_relaxed);
}

enum our_use our_signal_use(int number)
{
	if (number <= 0)
		return OUR_USES;
	if (number == our_signal(OUR_DUMPS))
		return OUR_DUMPS;
	return number == SIGURG && our_signal(OUR_SAMPLES) && !atomic_load(&sigurg_is_the_hosts) ? OUR_SAMPLES : OUR_USES;
}

void our_signal_release_samples(void)
{
	int number = atomic_exchange(&ours[OUR_SAMPLES].number, 0);
	const struct host_action *host = atomic_load(&ours[OUR_SAMPLES].host);
	if (number != SIGURG || !is_ours(SIGURG))
		return;
	bool ignored = host ? host->handler == (uintptr_t)SIG_IGN : atomic_load(&sigurg_was_ignored);
	struct kernel_sigaction former = { .handler = NULL };
	uintptr_t handler = (uintptr_t)(ignored ? SIG_IGN : SIG_DFL);
	memcpy(&former.handler, &handler, sizeof(handler));
	change_action(SIGURG, &former, NULL);
	atomic_store(&ours[OUR_SAMPLES].host, NULL);
}

void our_signal_host_uses_sigurg(void)
{
	atomic_store(&sigurg_is_the_hosts, true);
}

void our_signal_host_wants(enum our_use use, const struct host_action *action, struct host_action *ret_old)
{
	/* Two copies, used in turn: a handler that reads the other one meanwhile finds it whole. */
	static struct host_action copies[OUR_USES][2];
	static _Atomic uint32_t used[OUR_USES];
	const struct host_action *old = atomic_load(&ours[use].host);
	*ret_old = old ? *old : (struct host_action){ 0 };
	if (!action)
		return;
	struct host_action *copy = &copies[use][atomic_fetch_add(&used[use], 1) % 2];
	*copy = *action;
	atomic_store(&ours[use].host, copy);
}

/* A program that executes another while it blocks our signal leaves what was on its way to the new one, which it would kill. */
void our_signal_drop_pending(void)
{
	uint64_t pending = 0;
	sys3(SYS_rt_sigpending, (long)&pending, sizeof(pending), 0);
	for (int number = HIGHEST_SIGNAL; number >= LOWEST_SIGNAL; number--) {
		uint64_t bit = (uint64_t)1 << (number - 1);
		struct kernel_sigaction now;
		if (!(pending & bit) || change_action(number, NULL, &now) != 0 || now.handler)
			continue;
		const struct timespec at_once = { 0, 0 };
		siginfo_t info;
		while (sys4(SYS_rt_sigtimedwait, (long)&bit, (long)&info, (long)&at_once, sizeof(bit)) == number) {
			uint64_t mark = (uint64_t)(uintptr_t)info.si_value.sival_ptr >> 48;
			if ((info.si_code == SI_QUEUE && mark == OUR_MARK_DUMP) ||
			    (info.si_code == SI_TIMER && mark == OUR_MARK_CPU))
				continue;
			/* Somebody else's: back to where it was, as far as the kernel lets one say who has sent it. */
			sys4(SYS_rt_tgsigqueueinfo, sys_getpid(), sys_gettid(), number, (long)&info);
			break;
		}
	}
}
