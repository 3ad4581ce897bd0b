/* report.c - totals, values and headers that every report format shares. */
#include "report/report.h"

#include <time.h>

#include "base/buffer.h"
#include "base/path.h"
#include "report/common.h"

/* --- total -------------------------------------------------------------------------------------------------------- */

static int64_t compute_total(const struct profile *profile, const struct report_options *options)
{
	int64_t total = 0, divisor = 0, base_total = 0, base_divisor = 0;
	uint32_t key = strtab_find(&profile->strings, STR_LITERAL("pprof::base"));
	uint32_t yes = strtab_find(&profile->strings, STR_LITERAL("true"));
	for (uint32_t i = 0; i < profile->sample_count; i++) {
		const int64_t *values = profile_values(profile, i);
		int64_t value = int64_magnitude(values[options->value_ix]), divide = options->mean ? values[0] : 0;
		total = int64_add(total, value);
		divisor = int64_add(divisor, divide);
		if (key != UINT32_MAX && sample_is_diff_base(profile, &profile->samples[i], key, yes)) {
			base_total = int64_add(base_total, value);
			base_divisor = int64_add(base_divisor, divide);
		}
	}
	/* In a comparison (-diff_base), everything is measured against the base. */
	if (base_total > 0) {
		total = base_total;
		divisor = base_divisor;
	}
	return mean_value(total, divisor);
}

void report_init(struct report *report, struct profile *profile, const struct report_options *options)
{
	struct value_type type = profile->sample_types[options->value_ix];
	*report = (struct report){
		.profile = profile,
		.options = *options,
		.total = compute_total(profile, options),
		.sample_type = profile_str(profile, type.type),
		.sample_unit = profile_str(profile, type.unit),
	};
	if (options->mean) {
		struct buffer name;
		buffer_init(&name, BUFFER_UNLIMITED);
		buffer_append_text(&name, "mean_");
		buffer_append_str(&name, report->sample_type);
		report->sample_type = profile_str(profile, profile_intern(profile, buffer_str(&name)));
		buffer_release(&name);
	}
}

/* --- values --------------------------------------------------------------------------------------------------------- */

size_t report_value(const struct report *report, int64_t value, char text[UNIT_LABEL_SIZE])
{
	double ratio = report->options.ratio;
	if (ratio > 0 && ratio != 1)
		value = int64_from_double((double)value * ratio);
	return unit_label(text, value, report->sample_unit, report->options.output_unit);
}

void report_put_value(const struct report *report, struct out *out, int64_t value, size_t width)
{
	char text[UNIT_LABEL_SIZE];
	size_t length = report_value(report, value, text);
	out_str_right(out, (struct str){ text, length }, width);
}

void report_put_percentage(struct out *out, int64_t value, int64_t whole)
{
	char text[PERCENTAGE_SIZE];
	size_t length = percentage_text(text, value, whole);
	out_bytes(out, text, length);
}

/* --- header ---------------------------------------------------------------------------------------------------------- */

static void append_time(struct buffer *to, int64_t time_ns)
{
	/* Rounded down also before 1970. */
	time_t seconds = (time_t)(time_ns / 1000000000 - (time_ns % 1000000000 < 0));
	struct tm local;
	char text[128];
	if (localtime_r(&seconds, &local) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %Z", &local) > 0)
		buffer_printf(to, "Time: %s\n", text);
}

static void append_duration(const struct report *report, struct buffer *to)
{
	const struct profile *profile = report->profile;
	char duration[UNIT_LABEL_SIZE], total[UNIT_LABEL_SIZE], percentage[PERCENTAGE_SIZE];
	unit_label(duration, profile->duration_ns, STR_LITERAL("nanoseconds"), STR_LITERAL("auto"));
	report_value(report, report->total, total);
	buffer_printf(to, "Duration: %s, Total samples = %s ", duration, total);
	struct str unit;
	double total_ns = unit_scale(report->total, report->sample_unit, STR_LITERAL("nanoseconds"), &unit);
	if (str_equal(unit, STR_LITERAL("ns")) && total_ns != 0) {
		percentage_text(percentage, int64_from_double(total_ns), profile->duration_ns);
		buffer_printf(to, "(%s)", percentage);
	}
	buffer_append_char(to, '\n');
}

static void append_line(struct buffer *to, const char *title, struct str text)
{
	if (text.length == 0)
		return;
	buffer_append_text(to, title);
	buffer_append_str(to, text);
	buffer_append_char(to, '\n');
}

void report_profile_labels(const struct report *report, struct buffer *to)
{
	const struct profile *profile = report->profile;
	if (profile->mapping_count > 0) {
		struct str file = profile_str(profile, profile->mappings[0].file);
		if (file.length)
			append_line(to, "File: ", str_base_name(file));
		append_line(to, "Build ID: ", profile_str(profile, profile->mappings[0].build_id));
	}
	for (uint32_t i = 0; i < profile->comment_count; i++) {
		struct str comment = profile_str(profile, profile->comments[i]);
		if (comment.length && comment.data[0] == '#')
			continue; /* for machines */
		buffer_append_str(to, comment);
		buffer_append_char(to, '\n');
	}
	append_line(to, "Type: ", report->sample_type);
	append_line(to, "Doc: ", profile_str(profile, profile->doc_url));
	if (profile->time_ns)
		append_time(to, profile->time_ns);
	if (profile->duration_ns)
		append_duration(report, to);
}

#define FILTER_SHOWN_BYTES 80

static void put_active_filters(const struct report *report, struct out *out)
{
	if (report->options.active_filter_count == 0)
		return;
	out_text(out, "Active filters:\n");
	for (size_t i = 0; i < report->options.active_filter_count; i++) {
		struct str filter = report->options.active_filters[i];
		bool cut = filter.length > FILTER_SHOWN_BYTES;
		out_text(out, "   ");
		out_bytes(out, filter.data, cut ? FILTER_SHOWN_BYTES : filter.length);
		out_text(out, cut ? "\xE2\x80\xA6\n" : "\n");
	}
}

static int64_t cutoff_of(int64_t total, double fraction)
{
	return int64_magnitude(int64_from_double((double)total * fraction));
}

static int64_t shown_flat_sum(const struct graph *graph)
{
	int64_t sum = 0;
	for (uint32_t i = 0; i < graph->shown_count; i++)
		sum = int64_add(sum, node_flat(&graph->nodes[graph->shown[i]]));
	return sum;
}

void report_put_labels(const struct report *report, struct out *out, const struct graph *graph,
                       const struct trimming *trimming)
{
	const struct report_options *options = &report->options;
	if (!options->compact_labels) {
		struct buffer labels;
		buffer_init(&labels, BUFFER_UNLIMITED);
		report_profile_labels(report, &labels);
		out_str(out, buffer_str(&labels));
		buffer_release(&labels);
	}
	put_active_filters(report, out);
	char shown[UNIT_LABEL_SIZE], total[UNIT_LABEL_SIZE], percentage[PERCENTAGE_SIZE];
	int64_t shown_sum = shown_flat_sum(graph);
	report_value(report, shown_sum, shown);
	report_value(report, report->total, total);
	percentage_text(percentage, shown_sum, report->total);
	const char *unpadded = percentage + strspn(percentage, " ");
	out_printf(out, "Showing nodes accounting for %s, %s of %s total\n", shown, unpadded, total);
	if (report->total == 0)
		return;
	if (trimming->dropped_count > 0) {
		report_value(report, cutoff_of(report->total, options->node_fraction), shown);
		out_printf(out, "Dropped %u node%s (cum <= %s)\n", trimming->dropped_count,
		           trimming->dropped_count > 1 ? "s" : "", shown);
	}
	if (graph->shown_count > 0 && graph->shown_count < trimming->original_count)
		out_printf(out, "Showing top %u nodes out of %u\n", graph->shown_count, trimming->original_count);
}

/* --- graph -------------------------------------------------------------------------------------------------------------- */

static void trim_file_names(struct report *report)
{
	struct profile *profile = report->profile;
	const struct report_options *options = &report->options;
	for (uint32_t i = 0; i < profile->function_count; i++) {
		struct function *function = &profile->functions[i];
		struct str file = profile_str(profile, function->filename);
		if (file.length == 0)
			continue;
		struct str trimmed = path_trim(file, options->trim_path, options->source_path);
		if (trimmed.length != file.length)
			function->filename = profile_intern(profile, trimmed);
	}
}

void report_graph(struct report *report, bool object_names, struct graph *ret_graph)
{
	trim_file_names(report);
	struct graph_options options = {
		.value_ix = report->options.value_ix,
		.mean = report->options.mean,
		.object_names = object_names,
		.drop_negative = report->options.drop_negative,
	};
	graph_init(ret_graph, report->profile, &options);
}

/* With "minimum", one unit for the whole report: that of the smallest value, or of a hundred times it when the largest is
 * far away, so that the smallest may show as 0.01. */
static void choose_unit(struct report *report, const struct graph *graph)
{
	struct report_options *options = &report->options;
	if (!str_equal(options->output_unit, STR_LITERAL("minimum")) || graph->shown_count == 0)
		return;
	int64_t smallest = 0, largest = report->total;
	for (uint32_t i = 0; i < graph->shown_count; i++) {
		const struct node *node = &graph->nodes[graph->shown[i]];
		int64_t value = int64_magnitude(node_flat(node));
		if (value == 0)
			value = int64_magnitude(node_cum(node));
		if (value > 0 && (smallest == 0 || value < smallest))
			smallest = value;
	}
	if (smallest == 0)
		smallest = largest;
	if (options->ratio > 0 && options->ratio != 1) {
		smallest = int64_from_double((double)smallest * options->ratio);
		largest = int64_from_double((double)largest * options->ratio);
	}
	struct str smallest_unit, largest_unit, minimum = STR_LITERAL("minimum");
	unit_scale(smallest, report->sample_unit, minimum, &smallest_unit);
	unit_scale(largest, report->sample_unit, minimum, &largest_unit);
	int64_t hundredfold = (int64_t)((uint64_t)smallest * 100);
	struct str unit = smallest_unit;
	if (!str_equal(smallest_unit, largest_unit) && hundredfold < largest)
		unit_scale(hundredfold, report->sample_unit, minimum, &unit);
	options->output_unit = unit.length ? unit : report->sample_unit;
}

void report_trimmed_graph(struct report *report, struct graph *graph, struct trimming *ret_trimming)
{
	const struct report_options *options = &report->options;
	report_graph(report, false, graph);
	int64_t flat_sum = graph_flat_sum(graph);
	int64_t node_cutoff = cutoff_of(flat_sum, options->node_fraction);
	*ret_trimming = (struct trimming){ .edge_cutoff = cutoff_of(flat_sum, options->edge_fraction) };
	if (node_cutoff > 0)
		ret_trimming->dropped_count = graph_drop_below(graph, node_cutoff);
	ret_trimming->original_count = graph->shown_count;
	graph_sort(graph, options->cum_sort);
	if (options->node_count > 0)
		graph_keep_first(graph, options->node_count < UINT32_MAX ? (uint32_t)options->node_count : UINT32_MAX);
	choose_unit(report, graph);
}
