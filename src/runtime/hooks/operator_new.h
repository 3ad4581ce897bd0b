/* operator_new.h - C++'s operator new and delete, for allocators that define them without calling malloc.
 */
#ifndef CPPROF_RUNTIME_HOOKS_OPERATOR_NEW_H
#define CPPROF_RUNTIME_HOOKS_OPERATOR_NEW_H

/* Finds the operators behind ours. `malloc_next`: the allocator's malloc. Part of real_resolve(). */
void operator_new_resolve(const void *malloc_next);

#endif
