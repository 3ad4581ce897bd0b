/* pipeline.h - from a profile and the options to a report, in the order that the options' meaning depends on:
 *
 *   label units → the command's overrides → tagroot/tagleaf → [relative: filters] → total → [otherwise: filters]
 *   → aggregation → report
 */
#ifndef CPPROF_CLI_PIPELINE_H
#define CPPROF_CLI_PIPELINE_H

#include "base/out.h"
#include "cli/command.h"
#include "cli/source_files.h"
#include "regexp/regexp.h"
#include "report/report.h"

struct pipeline {
	const struct command *command;
	struct report report;
	struct number_units units;
	struct source_files sources;
	struct regexp *symbol;
	struct str *active_filters;
	size_t active_filter_count;
	const struct report_context *context;
};

/* Everything up to the report; edits the profile. On failure nothing is left to release. */
enum status pipeline_init(struct pipeline *pipeline, const struct command *command, const char *parameter,
                          const struct config *config, struct profile *profile, const struct report_context *context,
                          struct error *err) CPPROF_MUST_USE;
enum status pipeline_write(struct pipeline *pipeline, struct out *out, struct error *err) CPPROF_MUST_USE;
void pipeline_release(struct pipeline *pipeline);

#endif
