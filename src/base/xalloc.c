/* xalloc.c - allocation that succeeds or ends the tool. */
#include "base/xalloc.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn static void out_of_memory(size_t size)
{
	char line[128];
	int length = snprintf(line, sizeof(line),
	                      "cpprof: out of memory (asked for %zu bytes); try a smaller profile or more memory\n", size);
	ssize_t ignored = write(STDERR_FILENO, line, (size_t)length);
	(void)ignored;
	_exit(2);
}

void *xmalloc(size_t size)
{
	void *block = malloc(size ? size : 1);
	if (!block)
		out_of_memory(size);
	return block;
}

void *xcalloc(size_t count, size_t size)
{
	void *block = calloc(count ? count : 1, size ? size : 1);
	if (!block)
		out_of_memory(count * size);
	return block;
}

void *xrealloc(void *old, size_t size)
{
	void *block = realloc(old, size ? size : 1);
	if (!block)
		out_of_memory(size);
	return block;
}

void *xreallocarray(void *old, size_t count, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, size, &bytes))
		out_of_memory(SIZE_MAX);
	return xrealloc(old, bytes);
}

char *xstrdup(const char *text)
{
	return xstrndup(text, strlen(text));
}

char *xstrndup(const char *text, size_t length)
{
	char *copy = xmalloc(length + 1);
	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

char *xasprintf(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *text = NULL;
	int length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0)
		out_of_memory(0);
	return text;
}

void *xgrow(void *array, size_t count, size_t *capacity, size_t element_size)
{
	if (array && count < *capacity)
		return array;
	size_t wanted = *capacity ? *capacity : 8;
	while (wanted <= count)
		wanted *= 2;
	array = xreallocarray(array, wanted, element_size);
	*capacity = wanted;
	return array;
}
