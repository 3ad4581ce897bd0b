/* resume.h - undoes the EINTR that a signal of ours has caused.
 */
#ifndef CPPROF_RUNTIME_SIGNAL_RESUME_H
#define CPPROF_RUNTIME_SIGNAL_RESUME_H

#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

/* In our handler, all signals blocked: if the interrupted thread was about to see EINTR because of this very signal, sets it
 * back to the system call, which then simply goes on. Where the call cannot be told, LOSS_EINTR_SEEN is counted. */
void resume_call(ucontext_t *context);

/* The number of the system call that these bytes, which end in the instruction `syscall`, make; -1: not to be told, or none that
 * returns EINTR in spite of SA_RESTART. For resume_call and its test. */
long resume_number(const unsigned char *code, size_t size);

#endif
