/* aggregate.h - granularity: what of a frame's identity is kept. */
#ifndef CPPROF_PROFILE_AGGREGATE_H
#define CPPROF_PROFILE_AGGREGATE_H

#include "profile/profile.h"

/* What to keep; the rest is cleared in functions, lines and locations. */
struct granularity {
	bool inlines, functions, filenames, line_numbers, columns, addresses;
};

void profile_aggregate(struct profile *profile, const struct granularity *keep);

#endif
