/* text.c - the flat table: text, top. */
#include "report/common.h"

/* " (inline)" where all callers have the node inlined, " (partial-inline)" where some have. */
static const char *inline_label(const struct graph *graph, const struct node *node)
{
	bool any_inline = false, any_call = false;
	for (uint32_t i = 0; i < node->in_count; i++) {
		const struct edge *edge = &graph->edges[graph->in_edges[node->in_start + i]];
		any_inline = any_inline || edge->is_inline;
		any_call = any_call || !edge->is_inline;
	}
	return !any_inline ? "" : any_call ? " (partial-inline)" : " (inline)";
}

static void put_row(struct report *report, struct out *out, struct graph *graph, uint32_t node_ix, int64_t flat_sum)
{
	const struct node *node = &graph->nodes[node_ix];
	int64_t flat = node_flat(node), cum = node_cum(node);
	report_put_value(report, out, flat, 10);
	out_char(out, ' ');
	report_put_percentage(out, flat, report->total);
	out_char(out, ' ');
	report_put_percentage(out, flat_sum, report->total);
	out_char(out, ' ');
	report_put_value(report, out, cum, 10);
	out_char(out, ' ');
	report_put_percentage(out, cum, report->total);
	out_text(out, "  ");
	out_str(out, node_printable(graph, node_ix));
	out_text(out, inline_label(graph, node));
	out_char(out, '\n');
}

enum status report_text(struct report *report, struct out *out, struct error *err)
{
	(void)err;
	struct graph graph;
	struct trimming trimming;
	report_trimmed_graph(report, &graph, &trimming);
	graph_build_edges(&graph, trimming.edge_cutoff, true);
	report_put_labels(report, out, &graph, &trimming);
	out_text(out, "      flat  flat%   sum%        cum   cum%\n");
	int64_t flat_sum = 0;
	for (uint32_t i = 0; i < graph.shown_count; i++) {
		flat_sum = int64_add(flat_sum, node_flat(&graph.nodes[graph.shown[i]]));
		put_row(report, out, &graph, graph.shown[i], flat_sum);
	}
	graph_release(&graph);
	return STATUS_OK;
}
