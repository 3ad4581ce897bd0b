/* sigaction.c - keeps the signal of dumps out of the masks of the host's handlers.
 *
 * A handler that blocks everything while it runs would have our signal delivered at its end, between it and the system call that it has
 * interrupted: then nothing tells that the EINTR is the host's (signal/resume.c), and the call would be set back. Delivered at the handler's
 * beginning it does no harm.
 */
#include "runtime/hooks/real.h"
#include "runtime/signal/dump.h"

#define FIRST_CHOICE 64 /* before the first dump: what it will choose if the host leaves it alone */

HOOK int sigaction(int number, const struct sigaction *restrict action, struct sigaction *restrict ret_old)
{
	int ours = dump_signal() ? dump_signal() : FIRST_CHOICE;
	if (!action || hooks_off || number == ours || !sigismember(&action->sa_mask, ours))
		return REAL(sigaction)(number, action, ret_old);
	struct sigaction changed = *action;
	sigdelset(&changed.sa_mask, ours);
	return REAL(sigaction)(number, &changed, ret_old);
}
