/* matcher.h - how this layer asks "does this text match?" without knowing a regular-expression engine.
 *
 * src/cli/ fills it from src/regexp/; tests from strcmp.
 */
#ifndef CPPROF_PROFILE_MATCHER_H
#define CPPROF_PROFILE_MATCHER_H

#include <stdbool.h>

#include "base/str.h"

/* An unanchored search in `text`. A NULL `matches` means that no expression was given. */
struct matcher {
	bool (*matches)(const void *expression, struct str text);
	const void *expression;
};

static inline bool matcher_is_set(const struct matcher *matcher)
{
	return matcher->matches != NULL;
}

static inline bool matcher_matches(const struct matcher *matcher, struct str text)
{
	return matcher->matches(matcher->expression, text);
}

#endif
