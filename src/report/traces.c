/* traces.c - every sample with its stack. */
#include <stdlib.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "report/common.h"
#include "report/label_lines.h"

#define SEPARATOR "-----------+-------------------------------------------------------\n"
#define VALUE_WIDTH 10

/* The frames of each location as the lines they become, made when the location is first met: a location stands in many
 * stacks. Each line begins with VALUE_WIDTH blanks, which the first line of a stack replaces by the value. */
struct frame_texts {
	struct graph *graph;
	struct arena arena;
	struct str *texts; /* by location; data NULL = not made yet */
	struct buffer scratch;
};

static struct str frame_text(struct frame_texts *frames, uint32_t location_ix)
{
	struct str *text = &frames->texts[location_ix];
	if (text->data)
		return *text;
	uint32_t count;
	const uint32_t *nodes = graph_location_nodes(frames->graph, location_ix, &count);
	buffer_clear(&frames->scratch);
	for (uint32_t k = 0; k < count; k++) {
		buffer_append_text(&frames->scratch, "             ");
		buffer_append_str(&frames->scratch, node_printable(frames->graph, nodes[k]));
		buffer_append_text(&frames->scratch, k + 1 < count ? " (inline)\n" : "\n");
	}
	return *text = arena_copy(&frames->arena, buffer_str(&frames->scratch));
}

static void append_key(const struct report *report, uint32_t key, struct buffer *to)
{
	struct str name = profile_str(report->profile, key);
	for (size_t width = utf8_count(name); width < VALUE_WIDTH; width++)
		buffer_append_char(to, ' ');
	buffer_append_str(to, name);
	buffer_append_text(to, ": ");
}

static void write_text_run(const void *context, const struct label *labels, uint32_t start, uint32_t end,
                           struct buffer *to)
{
	const struct report *report = context;
	append_key(report, labels[start].key, to);
	for (uint32_t i = start; i < end; i++) {
		buffer_append_char(to, ' ');
		buffer_append_str(to, profile_str(report->profile, labels[i].text_ix));
	}
	buffer_append_char(to, '\n');
}

static void write_number_run(const void *context, const struct label *labels, uint32_t start, uint32_t end,
                             struct buffer *to)
{
	const struct report *report = context;
	struct str unit = profile_str(report->profile, number_units_find(report->options.number_units, labels[start].key));
	append_key(report, labels[start].key, to);
	for (uint32_t i = start; i < end; i++) {
		char text[UNIT_LABEL_SIZE];
		size_t length = unit_label(text, labels[i].number, unit, STR_LITERAL("auto"));
		buffer_append_char(to, ' ');
		buffer_append(to, text, length);
	}
	buffer_append_char(to, '\n');
}

static void put_labels(const struct report *report, struct out *out, const struct sample *sample,
                       struct label_lines *lines)
{
	label_lines_make(lines, report->profile, sample_text_labels(report->profile, sample), sample->text_count,
	                 write_text_run, report);
	for (size_t i = 0; i < lines->count; i++)
		out_str(out, label_lines_get(lines, i));
	label_lines_make(lines, report->profile, sample_number_labels(report->profile, sample), sample->number_count,
	                 write_number_run, report);
	for (size_t i = 0; i < lines->count; i++)
		out_str(out, label_lines_get(lines, i));
}

static void put_sample(struct report *report, struct out *out, uint32_t sample_ix, struct frame_texts *frames,
                       struct label_lines *lines)
{
	const struct profile *profile = report->profile;
	const struct sample *sample = &profile->samples[sample_ix];
	const int64_t *values = profile_values(profile, sample_ix);
	const uint32_t *stack = profile_stack(profile, sample);
	if (sample->location_count == 0)
		return;
	out_bytes(out, SEPARATOR, sizeof(SEPARATOR) - 1);
	if (sample->text_count || sample->number_count)
		put_labels(report, out, sample, lines);
	report_put_value(report, out, mean_value(values[report->options.value_ix], report->options.mean ? values[0] : 0),
	                 VALUE_WIDTH);
	out_str(out, str_from(frame_text(frames, stack[0]), VALUE_WIDTH));
	for (uint32_t i = 1; i < sample->location_count; i++)
		out_str(out, frame_text(frames, stack[i]));
}

enum status report_traces(struct report *report, struct out *out, struct error *err)
{
	(void)err;
	struct profile *profile = report->profile;
	struct buffer labels;
	buffer_init(&labels, BUFFER_UNLIMITED);
	report_profile_labels(report, &labels);
	out_text(out, labels.length ? buffer_text(&labels) : "\n");
	buffer_release(&labels);

	struct graph graph;
	graph_init_nodes(&graph, profile, &(struct graph_options){ 0 });
	struct frame_texts frames = { .graph = &graph };
	frames.texts = xcalloc(profile->location_count, sizeof(*frames.texts));
	arena_init(&frames.arena);
	buffer_init(&frames.scratch, BUFFER_UNLIMITED);
	struct label_lines lines;
	label_lines_init(&lines);
	for (uint32_t i = 0; i < profile->sample_count && !out->write_errno; i++)
		put_sample(report, out, i, &frames, &lines);
	out_text(out, SEPARATOR);
	label_lines_release(&lines);
	buffer_release(&frames.scratch);
	arena_release(&frames.arena);
	free(frames.texts);
	graph_release(&graph);
	return STATUS_OK;
}
