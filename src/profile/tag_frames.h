/* tag_frames.h - labels as frames: tagroot and tagleaf. */
#ifndef CPPROF_PROFILE_TAG_FRAMES_H
#define CPPROF_PROFILE_TAG_FRAMES_H

#include "profile/profile.h"

/* Adds to every stack one frame per key, named by the sample's values of that key (joined by ","; numbers in `unit`) with
 * the key as its file: `roots` outermost, the first key farthest out; `leaves` innermost, the last key farthest in. A sample
 * without the label gets a frame without name. *ret_root_hit / *ret_leaf_hit: did any sample have one of the keys? */
void profile_add_tag_frames(struct profile *profile, const struct str *roots, uint32_t root_count,
                            const struct str *leaves, uint32_t leaf_count, struct str unit, bool *ret_root_hit,
                            bool *ret_leaf_hit);

#endif
