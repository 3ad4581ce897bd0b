/* own_libc.h - force-included when base/, wire/ and profile/ are compiled for the runtime: what they call of libc that
 * allocates, locks or needs a real thread is ours there.
 */
#ifndef CPPROF_RUNTIME_SHARED_OWN_LIBC_H
#define CPPROF_RUNTIME_SHARED_OWN_LIBC_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

void *own_malloc(size_t size);
void *own_calloc(size_t count, size_t size);
void *own_realloc(void *old, size_t size);
void own_free(void *block);
/* %s %.*s %c %d %i %u %x %X %p %%, with l, ll, z, j, width, zero padding, '-'; no floating point. */
int own_vsnprintf(char *to, size_t size, const char *format, va_list args) __attribute__((format(printf, 3, 0)));
int own_snprintf(char *to, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* In place, no allocation, O(n log n). */
void own_sort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *, void *), void *arg);

/* With their arguments, so that the attribute `malloc` stays what it is. */
#define malloc(size) own_malloc(size)
#define calloc(count, size) own_calloc(count, size)
#define realloc(old, size) own_realloc(old, size)
#define free(block) own_free(block)
#define vsnprintf(to, size, format, args) own_vsnprintf(to, size, format, args)
#define snprintf(...) own_snprintf(__VA_ARGS__)
#define qsort_r(base, count, size, compare, arg) own_sort(base, count, size, compare, arg)

#endif
