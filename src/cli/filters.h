/* filters.h - the filter options applied to a profile: expressions compiled, profile edited, unmatched filters told. */
#ifndef CPPROF_CLI_FILTERS_H
#define CPPROF_CLI_FILTERS_H

#include "cli/command.h"
#include "profile/labels.h"
#include "regexp/regexp.h"

/* Applies focus, ignore, hide, show, show_from, tagfocus, tagignore, tagshow, taghide and prune_from, in this order. */
enum status filters_apply(const struct config *config, struct profile *profile, const struct number_units *units,
                          const struct report_context *context, struct error *err) CPPROF_MUST_USE;

/* A matcher that asks the expression; unset for NULL. */
struct matcher regexp_matcher(const struct regexp *regexp);

#endif
