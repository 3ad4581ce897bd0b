/* demangle.h - mangled names to names for people: C++ (Itanium ABI), Rust (legacy and v0), D.
 *
 * The grammar is libiberty's; what to leave out of a name (parameters, template arguments) is decided here on its tree, never by
 * cutting text. Not here: which functions of a profile are demangled (names.c).
 */
#ifndef CPPROF_SYMBOLIZE_DEMANGLE_H
#define CPPROF_SYMBOLIZE_DEMANGLE_H

#include <stdbool.h>

#include "base/buffer.h"
#include "symbolize/symbolize.h"

/* Each appends to *ret_text and returns true, or leaves it as it was and returns false. */
bool demangle_cplusplus(const char *name, enum demangle_mode mode, struct buffer *ret_text);
bool demangle_rust_legacy(struct str name, struct buffer *ret_text);
bool demangle_rust_v0(const char *name, enum demangle_mode mode, struct buffer *ret_text);
bool demangle_d(const char *name, enum demangle_mode mode, struct buffer *ret_text);

#endif
