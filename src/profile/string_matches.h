/* string_matches.h - an expression's answers, remembered by string: a profile names each function many times.
 * Internal to this layer. */
#ifndef CPPROF_PROFILE_STRING_MATCHES_H
#define CPPROF_PROFILE_STRING_MATCHES_H

#include <stdint.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "profile/matcher.h"
#include "profile/profile.h"

struct string_matches {
	const struct profile *profile;
	struct matcher matcher;
	uint8_t *answers; /* by string: 0 = not asked yet, 1 = no, 2 = yes */
};

static inline void string_matches_init(struct string_matches *matches, const struct profile *profile,
                                       const struct matcher *matcher)
{
	*matches = (struct string_matches){ profile, *matcher, NULL };
	if (matcher_is_set(matcher))
		matches->answers = xcalloc(profile->strings.count, 1);
}

static inline void string_matches_release(struct string_matches *matches)
{
	free(matches->answers);
}

static inline bool string_matches_set(const struct string_matches *matches)
{
	return matches->answers != NULL;
}

static inline bool string_matches(struct string_matches *matches, uint32_t string_ix)
{
	uint8_t *answer = &matches->answers[string_ix];
	if (!*answer)
		*answer = matcher_matches(&matches->matcher, profile_str(matches->profile, string_ix)) ? 2 : 1;
	return *answer == 2;
}

/* By name or file; a line without function never matches. */
static inline bool line_matches(struct string_matches *matches, const struct line *line)
{
	if (line->function_ix == PROFILE_NONE)
		return false;
	const struct function *function = &matches->profile->functions[line->function_ix];
	return string_matches(matches, function->name) || string_matches(matches, function->filename);
}

static inline bool mapping_matches(struct string_matches *matches, const struct location *location)
{
	return location->mapping_ix != PROFILE_NONE &&
	       string_matches(matches, matches->profile->mappings[location->mapping_ix].file);
}

#endif
