/* merge.h - several profiles into one, and the arithmetic of differences.
 *
 * The order of use for `-base`: make_compatible + merge each side, [label or normalize the base], scale the base by -1,
 * make_compatible + merge both.
 */
#ifndef CPPROF_PROFILE_MERGE_H
#define CPPROF_PROFILE_MERGE_H

#include "profile/profile.h"

/* Merges the profiles (at least one) in order into a new one: equal samples are added up, samples that are all zero
 * vanish, ids are given anew from 1 in order of first use. All must have equal period and sample types. */
enum status profile_merge(struct profile *const profiles[], size_t count, struct profile *ret_profile,
                          struct error *err) CPPROF_MUST_USE;

/* Edits the profiles in place so that they can be merged: keeps the sample types they share, in the first one's order,
 * and scales every column to the finest unit met. */
enum status profile_make_compatible(struct profile *const profiles[], size_t count, struct error *err) CPPROF_MUST_USE;

/* Multiplies every value, rounding half away from zero; samples left all zero are dropped. A ratio of 1 does nothing. */
void profile_scale(struct profile *profile, double ratio);

/* Scales each column of `profile` so that its sum becomes the base's. */
enum status profile_normalize(struct profile *profile, const struct profile *base, struct error *err) CPPROF_MUST_USE;

/* Gives every sample the text label key=value, replacing labels of that key. */
void profile_set_text_label(struct profile *profile, const char *key, const char *value);
/* Takes the text labels of that key away from every sample. */
void profile_remove_text_label(struct profile *profile, const char *key);
/* Takes away number labels that are 0 and have no unit: profile.proto cannot hold them, so no written profile has them. */
void profile_remove_unwritable_labels(struct profile *profile);

#endif
