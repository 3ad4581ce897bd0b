/* hook.h - what marks a function that takes the place of one of libc's.
 */
#ifndef CPPROF_RUNTIME_HOOKS_HOOK_H
#define CPPROF_RUNTIME_HOOKS_HOOK_H

/* Exported under libc's name (exports/threads.txt has the list); everything else of the library is hidden. */
#define HOOK __attribute__((visibility("default")))

#define HOOK_UNLIKELY(condition) __builtin_expect(!!(condition), 0)

#endif
