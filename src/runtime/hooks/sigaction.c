/* sigaction.c - keeps the runtime's signals (signal/our_signal.h) working beside the host's.
 *
 * Once one is in use, an action that the host installs for its number is only remembered: a loop that resets all signals would else have
 * the next dump end the process.
 *
 * The signal of dumps is kept out of the masks of the host's handlers: one that blocks everything while it runs would have it delivered at
 * its end, between it and the system call that it has interrupted; then nothing tells that the EINTR is the host's (signal/resume.c), and the
 * call would be set back. Delivered at the handler's beginning it does no harm. The signal of samples, which sets nothing back, is put into
 * the masks of handlers that run on a stack of their own: that may be too small for two.
 */
#include "runtime/hooks/sigaction.h"

#include <string.h>

#include "runtime/hooks/real.h"
#include "runtime/signal/our_signal.h"

#define FIRST_CHOICE 64 /* before it is needed: what will be chosen if the host leaves it alone */

static struct host_action host_action_of(const struct sigaction *action)
{
	struct host_action host = { (uintptr_t)action->sa_handler, action->sa_flags, 0 };
	memcpy(&host.mask, &action->sa_mask, sizeof(host.mask));
	return host;
}

static int change_ours(enum our_use use, const struct sigaction *action, struct sigaction *ret_old)
{
	struct host_action wanted, old;
	if (action)
		wanted = host_action_of(action);
	our_signal_host_wants(use, action ? &wanted : NULL, &old);
	if (ret_old) {
		memset(ret_old, 0, sizeof(*ret_old));
		ret_old->sa_handler = (__sighandler_t)old.handler;
		ret_old->sa_flags = old.flags;
		memcpy(&ret_old->sa_mask, &old.mask, sizeof(old.mask));
	}
	return 0;
}

static bool takes_sigurg(int number, __sighandler_t handler)
{
	return number == SIGURG && handler != SIG_DFL && handler != SIG_IGN;
}

HOOK int sigaction(int number, const struct sigaction *restrict action, struct sigaction *restrict ret_old)
{
	if (takes_sigurg(number, action ? action->sa_handler : SIG_DFL))
		our_signal_host_uses_sigurg();
	enum our_use use = our_signal_use(number);
	if (use != OUR_USES)
		return change_ours(use, action, ret_old);
	int dumps = our_signal(OUR_DUMPS) ? our_signal(OUR_DUMPS) : FIRST_CHOICE;
	bool has_dumps = action && sigismember(&action->sa_mask, dumps), on_stack = action && action->sa_flags & SA_ONSTACK;
	if (!action || hooks_off || number == dumps || number == SIGURG || !(has_dumps || on_stack))
		return REAL(sigaction)(number, action, ret_old);
	struct sigaction changed = *action;
	if (has_dumps)
		sigdelset(&changed.sa_mask, dumps);
	if (on_stack)
		sigaddset(&changed.sa_mask, SIGURG);
	return REAL(sigaction)(number, &changed, ret_old);
}

HOOK __sighandler_t signal(int number, __sighandler_t handler)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART }, old;
	if (handler != SIG_ERR && takes_sigurg(number, handler))
		our_signal_host_uses_sigurg();
	enum our_use use = our_signal_use(number);
	if (use == OUR_USES || handler == SIG_ERR)
		return REAL(signal)(number, handler);
	change_ours(use, &action, &old);
	return old.sa_handler;
}

const sigset_t *signals_without_ours(const sigset_t *set, sigset_t *room)
{
	if (!set || hooks_off)
		return set;
	/* Nobody waits for the last real-time signal, and for SIGURG, by name. */
	if (!sigismember(set, SIGRTMAX) || !sigismember(set, SIGURG)) {
		if (sigismember(set, SIGURG))
			our_signal_host_uses_sigurg();
		return set;
	}
	/* Also before they are in use: a descriptor for signals lives long. */
	*room = *set;
	sigdelset(room, SIGURG);
	sigdelset(room, our_signal(OUR_DUMPS) ? our_signal(OUR_DUMPS) : FIRST_CHOICE);
	return room;
}

HOOK int signalfd(int fd, const sigset_t *set, int flags)
{
	sigset_t room;
	return REAL(signalfd)(fd, signals_without_ours(set, &room), flags);
}
