/* sigaction.h - the runtime's signals beside the host's.
 */
#ifndef CPPROF_RUNTIME_HOOKS_SIGACTION_H
#define CPPROF_RUNTIME_HOOKS_SIGACTION_H

#include <signal.h>

/* What the host waits for when it waits for every signal there is: the set without ours, in *room, which it would be told of else. Another
 * set as it is; if SIGURG is in it, that signal is the host's from now on. Territory H. */
const sigset_t *signals_without_ours(const sigset_t *set, sigset_t *room);

#endif
