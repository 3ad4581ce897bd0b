/* our_signal.h - the signals that the runtime uses, and the handler that tells what one is about: a dump (dump.h) or a sample of processor
 * time (cpu_sample.h).
 *
 * Dumps have the highest real-time signal that the host has left alone. Samples have SIGURG if the host has no use for it: the default of
 * that signal is to be ignored, so what is on its way while the host executes another program harms nobody; and as it is not a real-time
 * signal it never takes room in the user's queue, whose overflow the kernel answers with a SIGIO that ends the process. Where the host uses SIGURG,
 * samples share the signal of dumps, and must not come from perf_event.
 *
 * The handler runs with all signals blocked, leaves errno alone, and sets back a system call that only a dump has interrupted (resume.h).
 * For dumps it stays installed for good: taking it away would race with a signal on its way.
 */
#ifndef CPPROF_RUNTIME_SIGNAL_OUR_SIGNAL_H
#define CPPROF_RUNTIME_SIGNAL_OUR_SIGNAL_H

#include <stdbool.h>
#include <stdint.h>

/* In the upper 16 bits of a signal's value: it is ours. */
#define OUR_MARK_DUMP ((uint64_t)0xC99F)
#define OUR_MARK_CPU ((uint64_t)0xC99C)

enum our_use { OUR_DUMPS, OUR_SAMPLES, OUR_USES };

/* Installs the handler if need be. The number, which may be another than before; or 0: no signal can be had, or CPPROF_DISABLE=signals. P. */
int our_signal_choose(enum our_use use);
/* Nothing is sampled any more, or this is a fork child: SIGURG is as it was, or as the host has asked for since. What is still on its way is
 * ignored then. */
void our_signal_release_samples(void);
/* The number in use, 0 = none yet: a thread that blocks it need not be asked. Any territory. */
int our_signal(enum our_use use);
/* What this number is used for by us; OUR_USES: nothing. Any territory. */
enum our_use our_signal_use(int number);

/* The host installs an action for a number in use: ours stays installed and hands on to it what is not about us. The former one that the
 * host had asked for into *ret_old; NULL action: only asks. H. */
struct host_action {
	uintptr_t handler; /* SIG_DFL, SIG_IGN, or a function */
	int flags;
	uint64_t mask;
};
void our_signal_host_wants(enum our_use use, const struct host_action *action, struct host_action *ret_old);
/* The host has a handler for SIGURG from now on, or waits for it by name: it is the host's for good. A profile that is being taken by it ends at the
 * next beat, with what it has; until then the host may see some of its signals. H. */
void our_signal_host_uses_sigurg(void);
/* In the constructor: takes away real-time signals of ours that a former program of this process has left pending. */
void our_signal_drop_pending(void);

#endif
