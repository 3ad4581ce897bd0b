/* pipeline.c - what happens to a profile between the options and the report. */
#include "cli/pipeline.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/xalloc.h"
#include "cli/filters.h"
#include "cli/values.h"
#include "profile/aggregate.h"
#include "profile/tag_frames.h"

/* --- sample type ------------------------------------------------------------------------------------------------------ */

static enum status unknown_sample_type(const struct profile *profile, const char *sample_index, struct error *err)
{
	struct buffer names;
	buffer_init(&names, BUFFER_UNLIMITED);
	for (uint32_t k = 0; k < profile->sample_type_count; k++)
		buffer_printf(&names, "%s%.*s", k ? " " : "", STR_ARG(profile_str(profile, profile->sample_types[k].type)));
	char *quoted = value_quote(sample_index);
	enum status status =
			error_set(err, STATUS_INVALID, "sample_index %s must be one of: [%s]", quoted, buffer_text(&names));
	free(quoted);
	buffer_release(&names);
	return status;
}

enum status sample_index_find(const struct profile *profile, const char *sample_index, uint32_t *ret_index,
                              struct error *err)
{
	uint32_t count = profile->sample_type_count;
	if (count == 0)
		return error_set(err, STATUS_INVALID, "profile has no samples");
	int64_t number;
	if (!*sample_index) {
		*ret_index = count - 1;
		for (uint32_t k = count; k > 0 && profile->default_sample_type; k--) {
			if (profile->sample_types[k - 1].type == profile->default_sample_type)
				*ret_index = k - 1;
		}
		return STATUS_OK;
	}
	if (value_parse_decimal(sample_index, &number) == VALUE_OK) {
		if (number < 0 || number >= (int64_t)count)
			return error_set(err, STATUS_INVALID, "sample_index %s is outside the range [0..%u]", sample_index,
			                 count - 1);
		*ret_index = (uint32_t)number;
		return STATUS_OK;
	}
	/* Old profiles have "space" where newer ones have "inuse_space". */
	struct str name = str_of(sample_index), prefix = STR_LITERAL("inuse_");
	struct str short_name = str_starts_with(name, prefix) ? str_from(name, prefix.length) : name;
	for (uint32_t k = 0; k < count; k++) {
		struct str type = profile_str(profile, profile->sample_types[k].type);
		if (str_equal(type, name) || str_equal(type, short_name)) {
			*ret_index = k;
			return STATUS_OK;
		}
	}
	return unknown_sample_type(profile, sample_index, err);
}

/* --- options as they apply to one command ----------------------------------------------------------------------------- */

struct overrides {
	int64_t node_count;
	double node_fraction, edge_fraction;
	const char *granularity;
};

/* Reports on chosen functions and copies of the profile must not lose nodes to trimming. */
static struct overrides overrides_for(const struct command *command, const struct config *config, bool interactive)
{
	struct overrides result = { config->node_count, config->node_fraction, config->edge_fraction, config->granularity };
	bool trim = config->trim;
	switch (command->id) {
	case COMMAND_LIST:
		trim = false;
		result.granularity = "lines";
		break;
	case COMMAND_PEEK:
		trim = false;
		break;
	case COMMAND_RAW:
	case COMMAND_PROTO:
		trim = false;
		result.granularity = "addresses";
		break;
	case COMMAND_TEXT:
	case COMMAND_TOPPROTO:
		if (result.node_count == -1)
			result.node_count = interactive && command->id == COMMAND_TEXT ? 10 : 0;
		break;
	case COMMAND_COMMENTS:
	case COMMAND_TAGS:
	case COMMAND_TRACES:
	case COMMAND_TREE:
		if (result.node_count == -1)
			result.node_count = 80;
		break;
	}
	if (!trim) {
		result.node_count = 0;
		result.node_fraction = result.edge_fraction = 0;
	}
	return result;
}

static void aggregate(struct profile *profile, const char *granularity, const struct config *config)
{
	struct granularity keep = { .inlines = !config->no_inlines, .columns = config->show_columns };
	if (strcmp(granularity, "addresses") == 0) {
		if (keep.inlines)
			return; /* everything is kept, columns too */
		keep.functions = keep.filenames = keep.line_numbers = keep.addresses = true;
	} else if (strcmp(granularity, "lines") == 0) {
		keep.functions = keep.filenames = keep.line_numbers = true;
	} else if (strcmp(granularity, "files") == 0) {
		keep.filenames = true;
	} else if (strcmp(granularity, "filefunctions") == 0) {
		keep.functions = keep.filenames = true;
	} else {
		keep.functions = true;
	}
	profile_aggregate(profile, &keep);
}

/* --- steps ------------------------------------------------------------------------------------------------------------- */

static void collect_units(struct number_units *units, struct profile *profile, const struct report_context *context)
{
	number_units_init(units, profile);
	for (uint32_t i = 0; i < units->count; i++) {
		const struct number_unit *entry = &units->units[i];
		if (entry->ignored_count == 0)
			continue;
		struct buffer ignored;
		buffer_init(&ignored, BUFFER_UNLIMITED);
		for (uint32_t k = 0; k < entry->ignored_count; k++)
			buffer_printf(&ignored, "%s%.*s", k ? ", " : "", STR_ARG(profile_str(profile, entry->ignored[k])));
		context_notice(context, "For tag %.*s used unit %.*s, also encountered unit(s) %s",
		               STR_ARG(profile_str(profile, entry->key)), STR_ARG(profile_str(profile, entry->unit)),
		               buffer_text(&ignored));
		buffer_release(&ignored);
	}
}

/* The non-empty parts of a comma-separated list. */
static struct str *split_keys(const char *text, uint32_t *ret_count)
{
	struct str *keys = NULL;
	size_t count = 0, capacity = 0;
	while (*text) {
		size_t length = strcspn(text, ",");
		if (length) {
			keys = xgrow(keys, count, &capacity, sizeof(*keys));
			keys[count++] = (struct str){ text, length };
		}
		text += length + (text[length] == ',');
	}
	*ret_count = (uint32_t)count;
	return keys;
}

static void add_tag_frames(const struct pipeline *pipeline, struct profile *profile, const struct config *config)
{
	uint32_t root_count, leaf_count;
	struct str *roots = split_keys(config->tagroot, &root_count), *leaves = split_keys(config->tagleaf, &leaf_count);
	bool root_hit, leaf_hit;
	profile_add_tag_frames(profile, roots, root_count, leaves, leaf_count, str_of(config->unit), &root_hit, &leaf_hit);
	if (*config->tagroot && !root_hit)
		context_notice(pipeline->context, "TagRoot expression matched no samples");
	if (*config->tagleaf && !leaf_hit)
		context_notice(pipeline->context, "TagLeaf expression matched no samples");
	free(roots);
	free(leaves);
}

static void name_active_filters(struct pipeline *pipeline, struct profile *profile, const struct config *config)
{
	const struct {
		const char *name, *value;
	} filters[] = {
		{ "focus", config->focus },         { "ignore", config->ignore },       { "hide", config->hide },
		{ "show", config->show },           { "show_from", config->show_from }, { "tagfocus", config->tagfocus },
		{ "tagignore", config->tagignore }, { "tagshow", config->tagshow },     { "taghide", config->taghide },
	};
	size_t count = sizeof(filters) / sizeof(filters[0]);
	pipeline->active_filters = xreallocarray(NULL, count, sizeof(*pipeline->active_filters));
	for (size_t i = 0; i < count; i++) {
		if (!*filters[i].value)
			continue;
		struct buffer text;
		buffer_init(&text, BUFFER_UNLIMITED);
		buffer_printf(&text, "%s=%s", filters[i].name, filters[i].value);
		pipeline->active_filters[pipeline->active_filter_count++] = arena_copy(&profile->arena, buffer_str(&text));
		buffer_release(&text);
	}
}

/* The report's options, but for the total. */
static enum status init_report(struct pipeline *pipeline, struct profile *profile, const struct config *config,
                               const struct overrides *overrides, struct error *err)
{
	uint32_t value_ix;
	enum status status = sample_index_find(profile, config->sample_index, &value_ix, err);
	if (status != STATUS_OK)
		return status;
	if (config->divide_by == 0)
		return error_set(err, STATUS_INVALID, "zero divisor specified");
	name_active_filters(pipeline, profile, config);
	struct report_options options = {
		.value_ix = value_ix,
		.mean = config->mean,
		.cum_sort = strcmp(config->sort, "cum") == 0,
		.drop_negative = config->drop_negative,
		.compact_labels = config->compact_labels,
		.ratio = 1 / config->divide_by,
		.node_count = overrides->node_count,
		.node_fraction = overrides->node_fraction,
		.edge_fraction = overrides->edge_fraction,
		.output_unit = str_of(config->unit),
		.active_filters = pipeline->active_filters,
		.active_filter_count = pipeline->active_filter_count,
		.number_units = &pipeline->units,
		.trim_path = str_of(config->trim_path),
		.source_path = str_of(config->source_path),
		.sources = source_files_reader(&pipeline->sources),
	};
	report_init(&pipeline->report, profile, &options);
	return STATUS_OK;
}

static enum status compile_parameter(struct pipeline *pipeline, const char *parameter, struct error *err)
{
	if (!parameter)
		return STATUS_OK;
	enum status status = regexp_compile(str_of(parameter), &pipeline->symbol, err);
	if (status != STATUS_OK) {
		error_prefix(err, "parsing argument regexp %s: ", parameter);
		return status;
	}
	pipeline->report.options.symbol = regexp_matcher(pipeline->symbol);
	pipeline->report.options.symbol_pattern = str_of(parameter);
	return STATUS_OK;
}

static enum status run_steps(struct pipeline *pipeline, const char *parameter, const struct config *config,
                             struct profile *profile, struct error *err)
{
	const struct report_context *context = pipeline->context;
	struct overrides overrides = overrides_for(pipeline->command, config, context->interactive);
	collect_units(&pipeline->units, profile, context);
	add_tag_frames(pipeline, profile, config);
	enum status status = STATUS_OK;
	if (config->relative_percentages)
		status = filters_apply(config, profile, &pipeline->units, context, err);
	if (status == STATUS_OK)
		status = init_report(pipeline, profile, config, &overrides, err);
	if (status == STATUS_OK)
		status = compile_parameter(pipeline, parameter, err);
	if (status == STATUS_OK && !config->relative_percentages)
		status = filters_apply(config, profile, &pipeline->units, context, err);
	if (status == STATUS_OK)
		aggregate(profile, overrides.granularity, config);
	return status;
}

enum status pipeline_init(struct pipeline *pipeline, const struct command *command, const char *parameter,
                          const struct config *config, struct profile *profile, const struct report_context *context,
                          struct error *err)
{
	*pipeline = (struct pipeline){ .command = command, .context = context };
	source_files_init(&pipeline->sources, config->source_path, config->trim_path);
	enum status status = run_steps(pipeline, parameter, config, profile, err);
	if (status != STATUS_OK)
		pipeline_release(pipeline);
	return status;
}

void pipeline_release(struct pipeline *pipeline)
{
	number_units_release(&pipeline->units);
	source_files_release(&pipeline->sources);
	regexp_free(pipeline->symbol);
	free(pipeline->active_filters);
}

enum status pipeline_write(struct pipeline *pipeline, struct out *out, struct error *err)
{
	enum status (*const writers[])(struct report *, struct out *, struct error *) = {
		[COMMAND_COMMENTS] = report_comments, [COMMAND_LIST] = report_list,         [COMMAND_PEEK] = report_tree,
		[COMMAND_PROTO] = report_proto,       [COMMAND_RAW] = report_raw,           [COMMAND_TAGS] = report_tags,
		[COMMAND_TEXT] = report_text,         [COMMAND_TOPPROTO] = report_topproto, [COMMAND_TRACES] = report_traces,
		[COMMAND_TREE] = report_tree,
	};
	enum status status = writers[pipeline->command->id](&pipeline->report, out, err);
	if (pipeline->sources.missing)
		context_notice(pipeline->context,
		               "%u source file%s not found; say where the sources are with source_path (and trim_path)",
		               pipeline->sources.missing, pipeline->sources.missing == 1 ? " was" : "s were");
	return status;
}

bool profile_header(struct profile *profile, const struct config *config, const struct report_context *context,
                    struct buffer *lines, int64_t *ret_total)
{
	struct number_units units;
	collect_units(&units, profile, context);
	number_units_release(&units);
	struct error unused;
	uint32_t sample_index;
	if (sample_index_find(profile, config->sample_index, &sample_index, &unused) != STATUS_OK || config->divide_by == 0)
		return false;
	struct report report;
	struct report_options options = {
		.value_ix = sample_index,
		.mean = config->mean,
		.ratio = 1 / config->divide_by,
		.output_unit = str_of(config->unit),
	};
	report_init(&report, profile, &options);
	report_profile_labels(&report, lines);
	*ret_total = report.total;
	return true;
}
