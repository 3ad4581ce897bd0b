/* report.h - a filtered, aggregated profile as text or as another profile. One file per format.
 *
 * This layer opens no file: source lines come through struct source_reader, which src/cli/ fills and tests fake.
 */
#ifndef CPPROF_REPORT_REPORT_H
#define CPPROF_REPORT_REPORT_H

#include <stdbool.h>

#include "base/out.h"
#include "base/status.h"
#include "profile/labels.h"
#include "profile/matcher.h"
#include "profile/profile.h"

/* The lines of one source file; the reader owns them. */
struct source_lines {
	const struct str *lines; /* lines[0] is line 1; without newline */
	size_t count;
};

struct source_reader {
	/* Finds and reads a source file as named in a profile. On failure the message says what was tried. */
	enum status (*read)(void *arg, struct str file, struct source_lines *ret_lines, struct error *err);
	void *arg;
};

/* All strings are borrowed. */
struct report_options {
	uint32_t value_ix; /* sample type */
	bool mean;         /* values divided by the first sample type */
	bool cum_sort;
	bool drop_negative;
	bool compact_labels; /* no File/Type/Time header */
	double ratio;        /* values are multiplied by it: 1/divide_by */
	int64_t node_count;  /* 0 = no limit */
	double node_fraction, edge_fraction;
	struct str output_unit;           /* "minimum", "auto" or a unit */
	const struct str *active_filters; /* "focus=main" */
	size_t active_filter_count;
	const struct number_units *number_units;
	struct matcher symbol; /* of list and peek */
	struct str symbol_pattern;
	struct str trim_path, source_path;
	struct source_reader sources; /* of list */
};

struct report {
	struct profile *profile; /* not owned; edited */
	struct report_options options;
	int64_t total;
	struct str sample_type; /* with "mean_" in front where that applies; owned by the profile */
	struct str sample_unit;
};

/* Takes the total of the profile as it is now (before or after filtering: the caller's choice). */
void report_init(struct report *report, struct profile *profile, const struct report_options *options);

/* The File/Type/Time lines, a newline after each. */
void report_profile_labels(const struct report *report, struct buffer *to);

enum status report_text(struct report *report, struct out *out, struct error *err) CPPROF_MUST_USE;
/* tree, and with options.symbol set: peek. STATUS_NOT_FOUND if nothing matches. */
enum status report_tree(struct report *report, struct out *out, struct error *err) CPPROF_MUST_USE;
enum status report_traces(struct report *report, struct out *out, struct error *err) CPPROF_MUST_USE;
enum status report_tags(struct report *report, struct out *out, struct error *err) CPPROF_MUST_USE;
enum status report_list(struct report *report, struct out *out, struct error *err) CPPROF_MUST_USE;
enum status report_raw(struct report *report, struct out *out, struct error *err) CPPROF_MUST_USE;
enum status report_comments(struct report *report, struct out *out, struct error *err) CPPROF_MUST_USE;
/* gzip'ed profile.proto. */
enum status report_proto(struct report *report, struct out *out, struct error *err) CPPROF_MUST_USE;
enum status report_topproto(struct report *report, struct out *out, struct error *err) CPPROF_MUST_USE;

#endif
