/* proto.c - reports that are profiles again. */
#include "profile/codec.h"
#include "report/common.h"

static enum status put_profile(const struct profile *profile, struct out *out, struct error *err)
{
	struct buffer bytes;
	buffer_init(&bytes, BUFFER_UNLIMITED);
	enum status status = profile_encode_gzip(profile, &bytes, err);
	out_str(out, buffer_str(&bytes));
	buffer_release(&bytes);
	return status;
}

enum status report_proto(struct report *report, struct out *out, struct error *err)
{
	struct profile *profile = report->profile;
	double ratio = report->options.ratio;
	if (ratio > 0 && ratio != 1) {
		size_t count = (size_t)profile->sample_count * profile->sample_type_count;
		for (size_t i = 0; i < count; i++)
			profile->values[i] = int64_from_double((double)profile->values[i] * ratio);
	}
	return put_profile(profile, out, err);
}

/* --- topproto ---------------------------------------------------------------------------------------------------- */

static uint32_t copy_string(struct profile *to, const struct profile *from, uint32_t string_ix)
{
	return profile_intern(to, profile_str(from, string_ix));
}

static uint32_t find_or_add_function(struct profile *result, const struct function *wanted)
{
	for (uint32_t i = 0; i < result->function_count; i++) {
		const struct function *known = &result->functions[i];
		if (known->name == wanted->name && known->filename == wanted->filename &&
		    known->start_line == wanted->start_line)
			return i;
	}
	struct function *function = profile_add_function(result);
	*function = *wanted;
	function->id = result->function_count;
	return result->function_count - 1;
}

static int64_t scaled(const struct report *report, int64_t value)
{
	struct str unit;
	return int64_from_double(unit_scale(value, report->sample_unit, report->options.output_unit, &unit));
}

/* One shown node becomes one sample with one location and one line. */
static void add_node(const struct report *report, const struct node *node, struct profile *result)
{
	const struct profile *profile = report->profile;
	struct function wanted = {
		.name = copy_string(result, profile, node->info.name),
		.filename = copy_string(result, profile, node->info.file),
		.start_line = node->info.start_line,
	};
	uint32_t function_ix = find_or_add_function(result, &wanted);
	uint32_t line_ix = profile_add_lines(result, 1);
	result->lines[line_ix] = (struct line){ function_ix, node->info.line, node->info.column };
	struct location *location = profile_add_location(result);
	location->id = result->location_count;
	location->address = node->info.address;
	location->line_start = line_ix;
	location->line_count = 1;
	uint32_t sample_ix = profile_add_sample(result), stack = profile_add_stack(result, 1);
	result->sample_locations[stack] = result->location_count - 1;
	result->samples[sample_ix].location_start = stack;
	result->samples[sample_ix].location_count = 1;
	int64_t *values = profile_values(result, sample_ix);
	values[0] = scaled(report, node_cum(node));
	values[1] = scaled(report, node_flat(node));
}

static void init_result(const struct report *report, struct profile *result)
{
	const struct profile *profile = report->profile;
	profile_init(result);
	profile_set_sample_types(result, 2);
	uint32_t unit = profile_intern(result, report->options.output_unit);
	result->sample_types[0] = (struct value_type){ profile_intern_text(result, "cum"), unit };
	result->sample_types[1] = (struct value_type){ profile_intern_text(result, "flat"), unit };
	result->time_ns = profile->time_ns;
	result->duration_ns = profile->duration_ns;
	result->period = profile->period;
	result->period_type.type = copy_string(result, profile, profile->period_type.type);
	result->period_type.unit = copy_string(result, profile, profile->period_type.unit);
}

enum status report_topproto(struct report *report, struct out *out, struct error *err)
{
	struct graph graph;
	struct trimming trimming;
	report_trimmed_graph(report, &graph, &trimming);
	struct profile result;
	init_result(report, &result);
	for (uint32_t i = 0; i < graph.shown_count; i++)
		add_node(report, &graph.nodes[graph.shown[i]], &result);
	enum status status = put_profile(&result, out, err);
	profile_release(&result);
	graph_release(&graph);
	return status;
}
