/* syscall.h - libc's syscall(), which many locks use for their futexes.
 */
#ifndef CPPROF_RUNTIME_HOOKS_SYSCALL_H
#define CPPROF_RUNTIME_HOOKS_SYSCALL_H

#include <stdint.h>

/* libc's own; NULL until real_calls_find(). */
extern long (*real_syscall)(long number, ...);

/* An address inside our syscall(): what a wait in it is named after, since the registers are published by a function
 * without a name behind it. */
uintptr_t syscall_hook_address(void);

#endif
