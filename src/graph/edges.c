/* edges.c - who called whom, among the nodes that are kept. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "graph/graph.h"

/* What a location means to the pass, so that most frames of most stacks cost one byte. */
enum location_class {
	LOCATION_SKIPPED, /* no node of it is kept */
	LOCATION_PARENT,  /* one kept node, into which no edge is wanted */
	LOCATION_CALLEE,  /* anything else */
};

struct edge_pass {
	struct graph *graph;
	const bool *targets; /* by node: edges into it are wanted; NULL = all */
	uint8_t *classes;    /* by location */
	size_t edge_capacity;
	uint32_t *slots; /* edge + 1, by source and target */
	uint32_t slot_mask;
};

static uint32_t *slot_of(struct edge_pass *pass, uint32_t source, uint32_t target)
{
	uint64_t at = (((uint64_t)source << 32 | target) * 0x9E3779B97F4A7C15u) >> 32;
	for (;; at++) {
		uint32_t *slot = &pass->slots[at & pass->slot_mask];
		if (*slot == 0)
			return slot;
		const struct edge *edge = &pass->graph->edges[*slot - 1];
		if (edge->source == source && edge->target == target)
			return slot;
	}
}

static void slots_alloc(struct edge_pass *pass, uint32_t size)
{
	free(pass->slots);
	pass->slots = xcalloc(size, sizeof(*pass->slots));
	pass->slot_mask = size - 1;
	for (uint32_t i = 0; i < pass->graph->edge_count; i++)
		*slot_of(pass, pass->graph->edges[i].source, pass->graph->edges[i].target) = i + 1;
}

static struct edge *edge_of(struct edge_pass *pass, uint32_t source, uint32_t target)
{
	struct graph *graph = pass->graph;
	uint32_t *slot = slot_of(pass, source, target);
	if (!*slot) {
		graph->edges = xgrow(graph->edges, graph->edge_count, &pass->edge_capacity, sizeof(*graph->edges));
		graph->edges[graph->edge_count] = (struct edge){ .source = source, .target = target, .is_inline = true };
		*slot = ++graph->edge_count;
		if (graph->edge_count > pass->slot_mask / 2)
			slots_alloc(pass, (pass->slot_mask + 1) * 2);
		return &graph->edges[graph->edge_count - 1];
	}
	return &graph->edges[*slot - 1];
}

static void count_call(struct edge_pass *pass, uint32_t source, uint32_t target, const int64_t *values, uint32_t stamp,
                       bool is_residual, bool is_inline)
{
	const struct graph_options *options = &pass->graph->options;
	struct edge *edge = edge_of(pass, source, target);
	if (edge->last_sample == stamp)
		return; /* once per sample, whatever recursion does */
	edge->last_sample = stamp;
	edge->weight = int64_add(edge->weight, values[options->value_ix]);
	if (options->mean)
		edge->weight_divisor = int64_add(edge->weight_divisor, values[0]);
	edge->is_residual = edge->is_residual || is_residual;
	edge->is_inline = edge->is_inline && is_inline;
}

/* Walks one stack from the root to the leaf. */
static void count_sample_calls(struct edge_pass *pass, uint32_t sample_ix)
{
	const struct graph *graph = pass->graph;
	const struct sample *sample = &graph->profile->samples[sample_ix];
	const int64_t *values = profile_values(graph->profile, sample_ix);
	const uint32_t *stack = profile_stack(graph->profile, sample);
	uint32_t parent = GRAPH_NONE;
	bool is_residual = false;
	for (uint32_t i = sample->location_count; i > 0; i--) {
		uint8_t class = pass->classes[stack[i - 1]];
		if (class != LOCATION_CALLEE) {
			is_residual = class == LOCATION_SKIPPED;
			if (class == LOCATION_PARENT)
				parent = graph->location_nodes[stack[i - 1]];
			continue;
		}
		uint32_t count;
		const uint32_t *nodes = graph_location_nodes(graph, stack[i - 1], &count);
		for (uint32_t k = count; k > 0; k--) {
			uint32_t node = nodes[k - 1];
			if (graph->kept && !graph->kept[node]) {
				is_residual = true;
				continue;
			}
			if (parent != GRAPH_NONE && parent != node && (!pass->targets || pass->targets[node]))
				count_call(pass, parent, node, values, sample_ix + 1, is_residual, k != count);
			parent = node;
			is_residual = false;
		}
	}
}

static uint8_t classify(const struct edge_pass *pass, uint32_t location_ix)
{
	const struct graph *graph = pass->graph;
	uint32_t count, kept = 0, wanted = 0;
	const uint32_t *nodes = graph_location_nodes(graph, location_ix, &count);
	for (uint32_t i = 0; i < count; i++) {
		if (graph->kept && !graph->kept[nodes[i]])
			continue;
		kept++;
		wanted += !pass->targets || pass->targets[nodes[i]];
	}
	if (kept == 0)
		return LOCATION_SKIPPED;
	return count == 1 && wanted == 0 ? LOCATION_PARENT : LOCATION_CALLEE;
}

/* The nodes that were inlined somewhere; NULL if there are none. */
static bool *find_inlined(const struct graph *graph)
{
	bool *inlined = NULL;
	for (uint32_t i = 0; i < graph->profile->location_count; i++) {
		uint32_t count;
		const uint32_t *nodes = graph_location_nodes(graph, i, &count);
		for (uint32_t k = 0; k + 1 < count; k++) {
			if (!inlined)
				inlined = xcalloc(graph->node_count, sizeof(*inlined));
			inlined[nodes[k]] = !graph->kept || graph->kept[nodes[k]];
		}
	}
	return inlined;
}

/* Files the edges under their ends. Edges into shown nodes below the cutoff are left out; a node without value, which is
 * not shown, may still be the end of an edge. */
static void file_edges(struct graph *graph, int64_t cutoff)
{
	bool *is_shown = xcalloc(graph->node_count, sizeof(*is_shown));
	for (uint32_t i = 0; i < graph->shown_count; i++)
		is_shown[graph->shown[i]] = true;
	bool *stays = xcalloc(graph->edge_count, sizeof(*stays));
	for (uint32_t i = 0; i < graph->edge_count; i++) {
		const struct edge *edge = &graph->edges[i];
		stays[i] = !is_shown[edge->target] || int64_magnitude(edge->weight) >= cutoff;
		graph->nodes[edge->target].in_count += stays[i];
		graph->nodes[edge->source].out_count += stays[i];
	}
	uint32_t in_start = 0, out_start = 0;
	for (uint32_t i = 0; i < graph->node_count; i++) {
		struct node *node = &graph->nodes[i];
		node->in_start = in_start;
		node->out_start = out_start;
		in_start += node->in_count;
		out_start += node->out_count;
		node->in_count = node->out_count = 0;
	}
	graph->in_edges = xreallocarray(NULL, in_start, sizeof(*graph->in_edges));
	graph->out_edges = xreallocarray(NULL, out_start, sizeof(*graph->out_edges));
	for (uint32_t i = 0; i < graph->edge_count; i++) {
		if (!stays[i])
			continue;
		struct node *target = &graph->nodes[graph->edges[i].target], *source = &graph->nodes[graph->edges[i].source];
		graph->in_edges[target->in_start + target->in_count++] = i;
		graph->out_edges[source->out_start + source->out_count++] = i;
	}
	free(is_shown);
	free(stays);
}

void graph_build_edges(struct graph *graph, int64_t cutoff, bool inline_targets_only)
{
	bool *inlined = inline_targets_only ? find_inlined(graph) : NULL;
	if (inline_targets_only && !inlined)
		return; /* nothing was ever inlined */
	struct edge_pass pass = { .graph = graph, .targets = inlined };
	slots_alloc(&pass, 4096);
	const struct profile *profile = graph->profile;
	pass.classes = xmalloc(profile->location_count);
	for (uint32_t i = 0; i < profile->location_count; i++)
		pass.classes[i] = classify(&pass, i);
	for (uint32_t i = 0; i < profile->sample_count; i++) {
		const int64_t *values = profile_values(profile, i);
		if (values[graph->options.value_ix] || (graph->options.mean && values[0]))
			count_sample_calls(&pass, i);
	}
	free(pass.slots);
	free(pass.classes);
	free(inlined);
	file_edges(graph, cutoff);
}

static int compare_edges(const void *left, const void *right, void *context)
{
	struct graph *graph = context;
	const struct edge *a = &graph->edges[*(const uint32_t *)left], *b = &graph->edges[*(const uint32_t *)right];
	int64_t a_weight = int64_magnitude(a->weight), b_weight = int64_magnitude(b->weight);
	if (a_weight != b_weight)
		return a_weight > b_weight ? -1 : 1;
	int order = str_compare(node_printable(graph, a->source), node_printable(graph, b->source));
	return order ? order : str_compare(node_printable(graph, a->target), node_printable(graph, b->target));
}

void graph_sort_edges(struct graph *graph, uint32_t *edges, uint32_t count)
{
	if (count > 1)
		qsort_r(edges, count, sizeof(*edges), compare_edges, graph);
}
