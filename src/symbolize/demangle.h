/* demangle.h - mangled names to names for people: C++ (Itanium ABI), Rust (legacy and v0).
 *
 * C++'s grammar is libiberty's; what to leave out of a name (parameters, template arguments) is decided on its tree, before
 * it becomes text. Rust's grammars are our own. Every name is hostile: see the ceilings. Not here: which functions of a profile
 * are demangled, and the shortening of names that were demangled before, which is cutting of text (names.c).
 */
#ifndef CPPROF_SYMBOLIZE_DEMANGLE_H
#define CPPROF_SYMBOLIZE_DEMANGLE_H

#include <stdbool.h>

#include "base/buffer.h"
#include "symbolize/symbolize.h"

/* The parser of libiberty recurses with each pointer of a type; longer names than this are not demangled. */
#define DEMANGLE_NAME_MAX ((size_t)24 * 1024)
/* A short name may stand for an endless one (substitutions of substitutions); those are not demangled either. */
#define DEMANGLE_TEXT_MAX ((size_t)1024 * 1024)

/* Each appends to *ret_text and returns true, or leaves it as it was and returns false. */
bool demangle_cplusplus(const char *name, enum demangle_mode mode, struct buffer *ret_text);
bool demangle_rust_legacy(struct str name, struct buffer *ret_text);
bool demangle_rust_v0(const char *name, enum demangle_mode mode, struct buffer *ret_text);

/* Takes back what was appended behind the first `length` bytes. */
static inline void demangle_undo(struct buffer *text, size_t length)
{
	text->length = length;
	if (text->data)
		text->data[length] = '\0';
}

#endif
