/* str.h - a view of bytes that somebody else owns. Profile strings may hold any byte, zero included. */
#ifndef CPPROF_BASE_STR_H
#define CPPROF_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct str {
	const char *data; /* never NULL when made by the helpers below */
	size_t length;
};

/* For printf's "%.*s". */
#define STR_ARG(view) (int)(view).length, (view).data
/* A view of a string literal. */
#define STR_LITERAL(literal) ((struct str){ (literal), sizeof(literal) - 1 })

static inline struct str str_of(const char *text)
{
	return (struct str){ text ? text : "", text ? strlen(text) : 0 };
}

static inline bool str_equal(struct str a, struct str b)
{
	return a.length == b.length && memcmp(a.data, b.data, a.length) == 0;
}

/* Bytewise order, as Go's < on strings: negative, zero or positive. */
static inline int str_compare(struct str a, struct str b)
{
	int order = memcmp(a.data, b.data, a.length < b.length ? a.length : b.length);
	if (order)
		return order;
	return a.length < b.length ? -1 : a.length > b.length;
}

static inline bool str_starts_with(struct str text, struct str prefix)
{
	return text.length >= prefix.length && memcmp(text.data, prefix.data, prefix.length) == 0;
}

static inline bool str_ends_with(struct str text, struct str suffix)
{
	return text.length >= suffix.length &&
	       memcmp(text.data + text.length - suffix.length, suffix.data, suffix.length) == 0;
}

static inline struct str str_from(struct str text, size_t start)
{
	return (struct str){ text.data + start, text.length - start };
}

/* What follows the last '/', as Go's filepath.Base does for names of files; "" gives "." and "/" gives "/". */
struct str str_base_name(struct str path);

#endif
