/* prune.h - cutting stacks: drop_frames/keep_frames of the profile, and the prune_from option. */
#ifndef CPPROF_PROFILE_PRUNE_H
#define CPPROF_PROFILE_PRUNE_H

#include "profile/matcher.h"
#include "profile/profile.h"

/* Removes frames that `drop` matches and `keep` (if set) does not, with all they called, below the first other frame
 * from the root. Names are simplified first (simplify_function_name). */
void profile_prune_frames(struct profile *profile, const struct matcher *drop, const struct matcher *keep);

/* Makes the matching frame nearest the leaf the leaf of its stack. */
void profile_prune_from(struct profile *profile, const struct matcher *from);

/* The name without one leading '.' and without its parameter list: from the first '(' on, but "(anonymous namespace)" and
 * "operator()" are no parameter lists. A view into `name`. */
struct str simplify_function_name(struct str name);

#endif
