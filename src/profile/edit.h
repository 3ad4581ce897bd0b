/* edit.h - small edits that several files of this layer share. Internal to this layer. */
#ifndef CPPROF_PROFILE_EDIT_H
#define CPPROF_PROFILE_EDIT_H

#include "profile/profile.h"

/* Keeps the samples marked true, in their order. */
void profile_keep_samples(struct profile *profile, const bool *keep);

/* Are period and sample types equal, so that the profiles can be merged? STATUS_INVALID says what differs. */
enum status profile_check_mergeable(struct profile *const profiles[], size_t count, struct error *err) CPPROF_MUST_USE;

#endif
