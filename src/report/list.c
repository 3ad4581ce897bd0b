/* list.c - source lines with their values: list. */
#include <stdlib.h>

#include "base/xalloc.h"
#include "report/common.h"

#define MARGIN 5 /* source lines shown around the first and the last with a value */

/* Nodes of matching functions, grouped by sorting: function name, then file, then start line. */
struct listing {
	struct report *report;
	struct graph graph;
	uint32_t *nodes;
	uint32_t count;
	bool *asked; /* by file (string): was it asked for? */
};

static int compare_places(const void *left, const void *right, void *context)
{
	const struct graph *graph = context;
	const struct node_info *a = &graph->nodes[*(const uint32_t *)left].info;
	const struct node_info *b = &graph->nodes[*(const uint32_t *)right].info;
	int order = a->name == b->name
	                    ? 0
	                    : str_compare(profile_str(graph->profile, a->name), profile_str(graph->profile, b->name));
	if (!order && a->file != b->file)
		order = str_compare(profile_str(graph->profile, a->file), profile_str(graph->profile, b->file));
	if (!order && a->line != b->line)
		order = a->line < b->line ? -1 : 1;
	return order;
}

static void collect_nodes(struct listing *listing)
{
	struct graph *graph = &listing->graph;
	listing->nodes = xreallocarray(NULL, graph->shown_count, sizeof(*listing->nodes));
	for (uint32_t i = 0; i < graph->shown_count; i++) {
		struct str name = profile_str(graph->profile, graph->nodes[graph->shown[i]].info.name);
		if (matcher_matches(&listing->report->options.symbol, name))
			listing->nodes[listing->count++] = graph->shown[i];
	}
	if (listing->count > 1)
		qsort_r(listing->nodes, listing->count, sizeof(*listing->nodes), compare_places, graph);
}

/* The lines to show: from the function's start (if known) to behind the last value. */
static void line_range(const struct graph *graph, const uint32_t *nodes, uint32_t count, int64_t *ret_first,
                       int64_t *ret_last)
{
	int64_t first = INT64_MAX, last = 0;
	for (uint32_t i = 0; i < count; i++) {
		const struct node_info *info = &graph->nodes[nodes[i]].info;
		int64_t start = info->start_line ? info->start_line : info->line - MARGIN;
		first = start < first ? start : first;
		last = info->line + MARGIN > last ? info->line + MARGIN : last;
	}
	*ret_first = first < 1 ? 1 : first;
	*ret_last = last;
}

static void put_value_or_dot(const struct report *report, struct out *out, int64_t value)
{
	if (value == 0)
		out_text_right(out, ".", 10);
	else
		report_put_value(report, out, value, 10);
	out_char(out, ' ');
}

/* A scanner of lines would drop the carriage return of a DOS file. */
static struct str without_carriage_return(struct str text)
{
	if (text.length && text.data[text.length - 1] == '\r')
		text.length--;
	return text;
}

static void put_source(struct listing *listing, struct out *out, const uint32_t *nodes, uint32_t count, int64_t first,
                       int64_t last, const struct source_lines *lines)
{
	const struct graph *graph = &listing->graph;
	uint32_t at = 0; /* nodes are in the order of their lines */
	for (int64_t line = first; line <= last && line <= (int64_t)lines->count; line++) {
		int64_t flat = 0, cum = 0;
		while (at < count && graph->nodes[nodes[at]].info.line < line)
			at++;
		for (; at < count && graph->nodes[nodes[at]].info.line == line; at++) {
			const struct node *node = &graph->nodes[nodes[at]];
			flat = int64_add(flat, node->flat);
			cum = int64_add(cum, node->cum);
		}
		put_value_or_dot(listing->report, out, flat);
		put_value_or_dot(listing->report, out, cum);
		out_int_right(out, line, 6);
		out_char(out, ':');
		out_str(out, without_carriage_return(lines->lines[line - 1]));
		out_char(out, '\n');
	}
}

/* One function in one file. */
static void put_routine(struct listing *listing, struct out *out, const uint32_t *nodes, uint32_t count)
{
	struct report *report = listing->report;
	const struct graph *graph = &listing->graph;
	const struct node_info *info = &graph->nodes[nodes[0]].info;
	int64_t flat = 0, cum = 0;
	for (uint32_t i = 0; i < count; i++) {
		flat = int64_add(flat, graph->nodes[nodes[i]].flat);
		cum = int64_add(cum, graph->nodes[nodes[i]].cum);
	}
	struct str file = profile_str(report->profile, info->file);
	out_text(out, "ROUTINE ======================== ");
	out_str(out, profile_str(report->profile, info->name));
	out_text(out, " in ");
	out_str(out, file);
	out_char(out, '\n');
	report_put_value(report, out, flat, 10);
	out_char(out, ' ');
	report_put_value(report, out, cum, 10);
	out_text(out, " (flat, cum) ");
	report_put_percentage(out, cum, report->total);
	out_text(out, " of Total\n");
	int64_t first, last;
	line_range(graph, nodes, count, &first, &last);
	/* A function that begins behind its lines has none to show; that its file is missing is then only told if it is known. */
	bool *asked = &listing->asked[info->file];
	*asked = *asked || first <= last;
	if (!*asked)
		return;
	struct source_lines lines;
	struct error reason;
	if (report->options.sources.read(report->options.sources.arg, file, &lines, &reason) != STATUS_OK)
		out_printf(out, " Error: %s\n", reason.message);
	else
		put_source(listing, out, nodes, count, first, last, &lines);
}

/* One function: nodes[0..count) share its name. */
static void put_function(struct listing *listing, struct out *out, const uint32_t *nodes, uint32_t count)
{
	const struct graph *graph = &listing->graph;
	uint32_t start = 0;
	while (start < count && graph->nodes[nodes[start]].info.file == 0)
		start++; /* nothing known of the file: sorted first */
	if (start == count) {
		struct str name = profile_str(graph->profile, graph->nodes[nodes[0]].info.name);
		out_text(out, "No source information for ");
		out_str(out, name);
		out_char(out, '\n');
		return;
	}
	while (start < count) {
		uint32_t end = start + 1;
		while (end < count && graph->nodes[nodes[end]].info.file == graph->nodes[nodes[start]].info.file)
			end++;
		put_routine(listing, out, nodes + start, end - start);
		start = end;
	}
}

enum status report_list(struct report *report, struct out *out, struct error *err)
{
	struct listing listing = { .report = report };
	report_graph(report, true, &listing.graph);
	collect_nodes(&listing);
	listing.asked = xcalloc(report->profile->strings.count, sizeof(*listing.asked));
	enum status status = STATUS_OK;
	if (listing.count == 0) {
		status = error_set(err, STATUS_NOT_FOUND, "no matches found for regexp: %.*s",
		                   STR_ARG(report->options.symbol_pattern));
	} else {
		out_text(out, "Total: ");
		report_put_value(report, out, report->total, 0);
		out_char(out, '\n');
	}
	const struct graph *graph = &listing.graph;
	for (uint32_t start = 0, end; start < listing.count; start = end) {
		end = start + 1;
		while (end < listing.count &&
		       graph->nodes[listing.nodes[end]].info.name == graph->nodes[listing.nodes[start]].info.name)
			end++;
		put_function(&listing, out, listing.nodes + start, end - start);
	}
	free(listing.nodes);
	free(listing.asked);
	graph_release(&listing.graph);
	return status;
}
