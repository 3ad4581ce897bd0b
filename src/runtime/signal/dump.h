/* dump.h - asks running threads for their stacks, by a signal.
 *
 * Only for threads that were seen running a moment ago: a blocked thread is read without its help (collect/). The signal is the
 * highest real-time signal that the host has left alone, and besides samples (cpu_sample.h) its handler is the only code of ours that interrupts a thread.
 * Should the thread have entered a call meanwhile that the kernel does not restart (poll, nanosleep, ...), the handler sets it back
 * to the call, so that the host sees no EINTR because of us.
 *
 * All but the handler runs on our own thread or in an API caller, inside work_run: one dump at a time.
 */
#ifndef CPPROF_RUNTIME_SIGNAL_DUMP_H
#define CPPROF_RUNTIME_SIGNAL_DUMP_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

#include "runtime/shared/frames.h"

#define DUMP_SLOTS 256u /* threads that can be asked at the same time */

/* Begins a dump: answers to earlier ones are refused from now on. False: no signal can be had, or CPPROF_DISABLE=signals. */
bool dump_begin(void);
/* Asks thread `tid` to put its stack into the slot, which must not be busy. False: it is gone, or the kernel refuses. */
bool dump_ask(uint32_t slot, int tid);
bool dump_answered(uint32_t slot);
/* After an answer, until the next dump_ask for this slot or the next dump_begin. */
const struct frames *dump_frames(uint32_t slot);
/* Gives up waiting: a later answer is refused. False: the thread is writing this very moment; the slot stays busy. */
bool dump_cancel(uint32_t slot);

/* The handler's part, for a signal with OUR_MARK_DUMP. True. S. */
bool dump_handle(const siginfo_t *info, const ucontext_t *context);

/* In a fork child: nobody was asked there. */
void dump_forked(void);

#endif
