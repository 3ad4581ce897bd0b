/* tree.c - each node with its callers above and its callees below: tree, and for chosen nodes peek. */
#include "report/common.h"

#define SEPARATOR "----------------------------------------------------------+-------------\n"
#define LEGEND "      flat  flat%   sum%        cum   cum%   calls calls% + context \t \t \n"

/* The edges of one node on one side, heaviest first. Weights are raw: no mean is taken of calls. */
static void put_edges(struct report *report, struct out *out, struct graph *graph, uint32_t *edges, uint32_t count,
                      bool incoming, int64_t cum)
{
	graph_sort_edges(graph, edges, count);
	for (uint32_t i = 0; i < count; i++) {
		const struct edge *edge = &graph->edges[edges[i]];
		report_put_value(report, out, edge->weight, 50);
		out_char(out, ' ');
		report_put_percentage(out, edge->weight, cum);
		out_text(out, " |   ");
		out_str(out, node_printable(graph, incoming ? edge->source : edge->target));
		out_text(out, edge->is_inline ? " (inline)\n" : "\n");
	}
}

static void put_node(struct report *report, struct out *out, struct graph *graph, uint32_t node_ix, int64_t flat_sum)
{
	const struct node *node = &graph->nodes[node_ix];
	int64_t flat = node_flat(node), cum = node_cum(node);
	out_text(out, SEPARATOR);
	put_edges(report, out, graph, graph->in_edges + node->in_start, node->in_count, true, cum);
	report_put_value(report, out, flat, 10);
	out_char(out, ' ');
	report_put_percentage(out, flat, report->total);
	out_char(out, ' ');
	report_put_percentage(out, flat_sum, report->total);
	out_char(out, ' ');
	report_put_value(report, out, cum, 10);
	out_char(out, ' ');
	report_put_percentage(out, cum, report->total);
	out_text(out, "                | ");
	out_str(out, node_printable(graph, node_ix));
	out_char(out, '\n');
	put_edges(report, out, graph, graph->out_edges + node->out_start, node->out_count, false, cum);
}

static bool is_wanted(struct report *report, struct graph *graph, uint32_t node_ix)
{
	const struct matcher *symbol = &report->options.symbol;
	return !matcher_is_set(symbol) || matcher_matches(symbol, node_printable(graph, node_ix));
}

enum status report_tree(struct report *report, struct out *out, struct error *err)
{
	struct graph graph;
	struct trimming trimming;
	report_trimmed_graph(report, &graph, &trimming);
	graph_build_edges(&graph, trimming.edge_cutoff, false);
	uint32_t matched = 0;
	for (uint32_t i = 0; i < graph.shown_count; i++)
		matched += is_wanted(report, &graph, graph.shown[i]);
	if (matcher_is_set(&report->options.symbol) && matched == 0) {
		graph_release(&graph);
		return error_set(err, STATUS_NOT_FOUND, "no matches found for regexp: %.*s",
		                 STR_ARG(report->options.symbol_pattern));
	}
	report_put_labels(report, out, &graph, &trimming);
	out_text(out, SEPARATOR LEGEND);
	int64_t flat_sum = 0;
	for (uint32_t i = 0; i < graph.shown_count; i++) {
		uint32_t node_ix = graph.shown[i];
		if (!is_wanted(report, &graph, node_ix))
			continue;
		flat_sum = int64_add(flat_sum, node_flat(&graph.nodes[node_ix]));
		put_node(report, out, &graph, node_ix, flat_sum);
	}
	if (graph.shown_count > 0)
		out_text(out, SEPARATOR);
	graph_release(&graph);
	return STATUS_OK;
}
