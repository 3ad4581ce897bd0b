/* names.c - the names that people read: demangled, and cut where they look like demangled C++ already.
 *
 * Every function of every profile passes here, so names that cannot be mangled must cost next to nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "symbolize/demangle.h"

/* --- mangled names ------------------------------------------------------------------------------------------------- */

bool symbolize_demangle(const char *name, enum demangle_mode mode, struct buffer *ret_text)
{
	if (mode == DEMANGLE_NONE || name[0] != '_')
		return false;
	if (name[1] == 'R')
		return demangle_rust_v0(name, mode, ret_text);
	return (strncmp(name, "_ZN", 3) == 0 && demangle_rust_legacy(str_of(name), ret_text)) ||
	       demangle_cplusplus(name, mode, ret_text);
}

/* --- names that are demangled already ------------------------------------------------------------------------------ */

/* Java's "class.<init>" and Go's "foo.(*Bar[...]).Method" are not C++. */
static bool looks_like_cplusplus(struct str name)
{
	bool found = false;
	for (size_t i = 0; i < name.length; i++) {
		switch (name.data[i]) {
		case '.':
			if (i + 1 < name.length && name.data[i + 1] == '<')
				return false;
			break;
		case ']':
			if (i + 2 < name.length && name.data[i + 1] == ')' && name.data[i + 2] == '.')
				return false;
			found = true;
			break;
		case '<':
		case '>':
		case '[':
			found = true;
			break;
		case ':':
			found |= i + 1 < name.length && name.data[i + 1] == ':';
			break;
		default:
			break;
		}
	}
	return found;
}

/* Appends the name without what stands in matching brackets. From a bracket that does not match the name stays as it is. */
static void append_without(struct str name, char open, char close, struct buffer *out)
{
	size_t depth = 0, copied = 0;
	for (size_t i = 0; i < name.length; i++) {
		if (name.data[i] == open && depth++ == 0) {
			buffer_append(out, name.data + copied, i - copied);
			copied = i;
		} else if (name.data[i] == close) {
			if (depth == 0)
				break;
			if (--depth == 0)
				copied = i + 1;
		}
	}
	buffer_append_str(out, str_from(name, copied));
}

/* Shortens in *name, with `spare` for a second buffer. */
static void shorten(struct buffer *name, struct buffer *spare, enum demangle_mode mode)
{
	if (mode == DEMANGLE_FULL || !looks_like_cplusplus(buffer_str(name)))
		return;
	buffer_clear(spare);
	append_without(buffer_str(name), '(', ')', spare);
	buffer_clear(name);
	if (mode == DEMANGLE_DEFAULT)
		append_without(buffer_str(spare), '<', '>', name);
	else
		buffer_append_str(name, buffer_str(spare));
}

/* --- the functions of a profile ------------------------------------------------------------------------------------ */

/* True if demangling or shortening may change the name: only brackets are ever cut out. */
static bool is_worth_a_look(struct str name)
{
	return name.length &&
	       (name.data[0] == '_' || memchr(name.data, '(', name.length) || memchr(name.data, '<', name.length));
}

static uint32_t readable_name(struct profile *profile, uint32_t system_name, enum demangle_mode mode,
                              struct buffer *name, struct buffer *spare)
{
	struct str text = profile_str(profile, system_name);
	if (!is_worth_a_look(text))
		return system_name;
	buffer_clear(name);
	/* C strings from here: a name with a zero byte in it is not mangled. */
	bool is_plain = text.length && text.data[0] == '_' && !memchr(text.data, 0, text.length);
	if (!is_plain || !(symbolize_demangle(text.data, mode, name) || symbolize_demangle(text.data + 1, mode, name))) {
		buffer_clear(name);
		buffer_append_str(name, text);
		shorten(name, spare, mode);
	}
	return profile_intern(profile, buffer_str(name));
}

void symbolize_demangle_profile(struct profile *profile, const struct symbolize_options *options)
{
	struct buffer name, spare;
	buffer_init(&name, BUFFER_UNLIMITED);
	buffer_init(&spare, BUFFER_UNLIMITED);
	for (uint32_t i = 0; i < profile->function_count; i++) {
		struct function *function = &profile->functions[i];
		if (options->force && function->name && function->system_name)
			function->name = function->system_name;
		if (options->demangle == DEMANGLE_NONE || (function->name && function->name != function->system_name))
			continue;
		function->name = readable_name(profile, function->system_name, options->demangle, &name, &spare);
	}
	buffer_release(&name);
	buffer_release(&spare);
}
