/* filter.h - the filters of a report: which frames and samples stay.
 *
 * Matching asks each distinct string once, whatever the number of samples. Every function edits the profile in place.
 */
#ifndef CPPROF_PROFILE_FILTER_H
#define CPPROF_PROFILE_FILTER_H

#include "profile/labels.h"
#include "profile/matcher.h"
#include "profile/profile.h"

/* focus, ignore, hide and show; unset ones do nothing. A frame matches by its function's name or file; a location also by
 * its mapping's file. */
struct frame_filters {
	struct matcher focus, ignore, hide, show;
};

/* Whether each expression matched a location of the profile (not: a sample). */
struct frame_filter_hits {
	bool focus, ignore, hide, show;
};

void profile_filter_frames(struct profile *profile, const struct frame_filters *filters,
                           struct frame_filter_hits *ret_hits);

/* Cuts every stack above its matching frame nearest the root; samples without one are dropped. True if any matched.
 * An expression that is not set cuts nothing. */
bool profile_show_from(struct profile *profile, const struct matcher *show_from);

/* Removes labels by key: those that `show` (if set) does not match and those that `hide` (if set) matches. */
void profile_filter_labels(struct profile *profile, const struct matcher *show, const struct matcher *hide,
                           bool *ret_show_hit, bool *ret_hide_hit);

/* --- tagfocus and tagignore ------------------------------------------------------------------------------------------ */

#define TAG_MATCHERS_MAX 64

/* A parsed tag filter: a range of numbers or a list of expressions, of one key or of any. */
struct tag_filter {
	bool is_set;
	bool is_range;
	struct str key; /* length 0 with has_key false: any */
	bool has_key;
	/* range */
	bool has_low, has_high;
	double low, high; /* in range_unit; both ends belong to the range */
	struct str range_unit;
	/* expressions: with a key any must match, without all must */
	const struct matcher *matchers;
	size_t matcher_count;
};

/* Tries to read "400kb:", "1:10", ":3mb", "5" as a range; false if it is not one (or no 64-bit number). */
bool tag_range_parse(struct str text, struct tag_filter *ret_filter);

/* Keeps the samples that `focus` (if set) matches and `ignore` (if set) does not. */
void profile_filter_samples_by_tag(struct profile *profile, const struct tag_filter *focus,
                                   const struct tag_filter *ignore, const struct number_units *units,
                                   bool *ret_focus_hit, bool *ret_ignore_hit);

#endif
