/* xalloc.h - allocation for the tool: it succeeds or the process ends with one line and status 2.
 *
 * Sizes that come from outside are checked against a ceiling before they get here; what is left is a machine without
 * memory, where no report can be made and nothing can be lost (see docs/adr/0002). Not for libcpprof, which
 * lives in another's process and must never end it.
 */
#ifndef CPPROF_BASE_XALLOC_H
#define CPPROF_BASE_XALLOC_H

#include <stddef.h>

/* All return memory to be released with free(); a count of 0 gives a valid, unique pointer. */
void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *old, size_t size) __attribute__((returns_nonnull));
/* realloc of an array, with the product checked. */
void *xreallocarray(void *old, size_t count, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *text) __attribute__((malloc, returns_nonnull));
char *xstrndup(const char *text, size_t length) __attribute__((malloc, returns_nonnull));
/* A formatted string, owned by the caller. */
char *xasprintf(const char *format, ...) __attribute__((malloc, returns_nonnull, format(printf, 1, 2)));

/* Makes room for one more element in a growing array: doubles *capacity when `count` has reached it.
 * Returns the array, moved if need be. */
void *xgrow(void *array, size_t count, size_t *capacity, size_t element_size) __attribute__((returns_nonnull));

#endif
