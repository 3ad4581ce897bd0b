/* flags.h - command lines in the syntax of Go's flag package, which pprof's users know: -x=v, -x v, --x; booleans take a
 * value only with '='; parsing ends at the first argument that is no flag, or behind "--".
 *
 * Knows no flag: the caller brings a table.
 */
#ifndef CPPROF_CLI_FLAGS_H
#define CPPROF_CLI_FLAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum flag_kind {
	FLAG_BOOL,  /* bool */
	FLAG_INT,   /* int64_t */
	FLAG_FLOAT, /* double */
	FLAG_TEXT,  /* const char *: points into argv */
};

struct flag {
	const char *name; /* without '-' */
	enum flag_kind kind;
	void *target;
};

struct flag_set {
	struct flag *flags;
	size_t count, capacity;
};

void flag_set_init(struct flag_set *set);
void flag_set_release(struct flag_set *set);
void flag_set_add(struct flag_set *set, const char *name, enum flag_kind kind, void *target);

/* Parses argv[1..argc); *ret_first is the index of the first argument that is no flag. STATUS_INVALID with the
 * package's words; STATUS_NOT_FOUND: help was asked for (-h, -help). */
enum status flag_set_parse(const struct flag_set *set, int argc, char **argv, int *ret_first,
                           struct error *err) CPPROF_MUST_USE;

#endif
