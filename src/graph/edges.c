/* edges.c - who called whom, among the nodes that are kept. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "graph/graph.h"

/* What a location means to the pass: most frames of most stacks are passed over by one byte. */
enum location_class {
	LOCATION_SKIPPED, /* no node of it is kept */
	LOCATION_KEPT,    /* some are, but no edge is wanted into them */
	LOCATION_CALLEE,  /* an edge is wanted into one of them */
};

/* One step of one stack, from a kept node to the next. */
struct call {
	uint32_t source, target; /* nodes */
	uint32_t sample_ix;
	bool is_residual, is_inline;
};

struct edge_slot {
	uint32_t edge_plus_1; /* 0 = empty */
	uint32_t hash;        /* compared before the edge is */
};

/* Edges and their slots are more than the caches hold and met in any order. So calls are collected first, which tells
 * what memory they will need, and counted when that has come. */
#define CALL_LIMIT 128

struct edge_pass {
	struct graph *graph;
	const bool *targets; /* by node: edges into it are wanted; NULL = all */
	uint8_t *classes;    /* by location */
	size_t edge_capacity;
	struct edge_slot *slots; /* by source and target */
	uint32_t slot_mask;
	struct call calls[CALL_LIMIT];
	uint32_t call_count;
};

static uint32_t call_hash(uint32_t source, uint32_t target)
{
	return (uint32_t)((((uint64_t)source << 32 | target) * 0x9E3779B97F4A7C15u) >> 32);
}

static struct edge_slot *slot_of(struct edge_pass *pass, uint32_t source, uint32_t target, uint32_t hash)
{
	for (uint32_t at = hash;; at++) {
		struct edge_slot *slot = &pass->slots[at & pass->slot_mask];
		if (slot->edge_plus_1 == 0)
			return slot;
		if (slot->hash != hash)
			continue;
		const struct edge *edge = &pass->graph->edges[slot->edge_plus_1 - 1];
		if (edge->source == source && edge->target == target)
			return slot;
	}
}

static void slots_alloc(struct edge_pass *pass, uint32_t size)
{
	free(pass->slots);
	pass->slots = xcalloc(size, sizeof(*pass->slots));
	pass->slot_mask = size - 1;
	for (uint32_t i = 0; i < pass->graph->edge_count; i++) {
		const struct edge *edge = &pass->graph->edges[i];
		uint32_t hash = call_hash(edge->source, edge->target);
		*slot_of(pass, edge->source, edge->target, hash) = (struct edge_slot){ i + 1, hash };
	}
}

static struct edge *edge_of(struct edge_pass *pass, uint32_t source, uint32_t target)
{
	struct graph *graph = pass->graph;
	uint32_t hash = call_hash(source, target);
	struct edge_slot *slot = slot_of(pass, source, target, hash);
	if (!slot->edge_plus_1) {
		graph->edges = xgrow(graph->edges, graph->edge_count, &pass->edge_capacity, sizeof(*graph->edges));
		graph->edges[graph->edge_count] = (struct edge){ .source = source, .target = target, .is_inline = true };
		*slot = (struct edge_slot){ ++graph->edge_count, hash };
		if (graph->edge_count > pass->slot_mask / 2)
			slots_alloc(pass, (pass->slot_mask + 1) * 2);
		return &graph->edges[graph->edge_count - 1];
	}
	return &graph->edges[slot->edge_plus_1 - 1];
}

static void count_call(struct edge_pass *pass, const struct call *call)
{
	const struct graph_options *options = &pass->graph->options;
	const int64_t *values = profile_values(pass->graph->profile, call->sample_ix);
	struct edge *edge = edge_of(pass, call->source, call->target);
	if (edge->last_sample == call->sample_ix + 1)
		return; /* once per sample, whatever recursion does */
	edge->last_sample = call->sample_ix + 1;
	edge->weight = int64_add(edge->weight, values[options->value_ix]);
	if (options->mean)
		edge->weight_divisor = int64_add(edge->weight_divisor, values[0]);
	edge->is_residual = edge->is_residual || call->is_residual;
	edge->is_inline = edge->is_inline && call->is_inline;
}

static void count_calls(struct edge_pass *pass)
{
	for (uint32_t i = 0; i < pass->call_count; i++) {
		const struct call *call = &pass->calls[i];
		const struct edge_slot *slot = &pass->slots[call_hash(call->source, call->target) & pass->slot_mask];
		if (slot->edge_plus_1)
			__builtin_prefetch(&pass->graph->edges[slot->edge_plus_1 - 1], 1);
	}
	for (uint32_t i = 0; i < pass->call_count; i++)
		count_call(pass, &pass->calls[i]);
	pass->call_count = 0;
}

static inline void collect_call(struct edge_pass *pass, const struct call *call)
{
	pass->calls[pass->call_count++] = *call;
	__builtin_prefetch(&pass->slots[call_hash(call->source, call->target) & pass->slot_mask]);
	if (pass->call_count == CALL_LIMIT)
		count_calls(pass);
}

static bool is_kept(const struct graph *graph, uint32_t node_ix)
{
	return !graph->kept || graph->kept[node_ix];
}

/* The kept node of a location that calls what is called from there; *ret_is_residual tells whether frames inside it are
 * not kept. */
static uint32_t calling_node(const struct graph *graph, uint32_t location_ix, bool *ret_is_residual)
{
	uint32_t count, innermost = 0;
	const uint32_t *nodes = graph_location_nodes(graph, location_ix, &count);
	while (!is_kept(graph, nodes[innermost]))
		innermost++; /* there is one */
	*ret_is_residual = innermost > 0;
	return nodes[innermost];
}

/* The calls into stack[at] and inside it. stack[caller] is the nearest location with a kept node, or behind the root. */
static void collect_location_calls(struct edge_pass *pass, uint32_t sample_ix, uint32_t at, uint32_t caller)
{
	const struct graph *graph = pass->graph;
	const struct sample *sample = &graph->profile->samples[sample_ix];
	const uint32_t *stack = profile_stack(graph->profile, sample);
	uint32_t parent = GRAPH_NONE;
	bool is_residual = false;
	if (caller < sample->location_count)
		parent = calling_node(graph, stack[caller], &is_residual);
	is_residual = is_residual || caller != at + 1;
	uint32_t count;
	const uint32_t *nodes = graph_location_nodes(graph, stack[at], &count);
	for (uint32_t k = count; k > 0; k--) {
		uint32_t node = nodes[k - 1];
		if (!is_kept(graph, node)) {
			is_residual = true;
			continue;
		}
		if (parent != GRAPH_NONE && parent != node && (!pass->targets || pass->targets[node]))
			collect_call(pass, &(struct call){ parent, node, sample_ix, is_residual, k != count });
		parent = node;
		is_residual = false;
	}
}

/* Walks one stack from the root to the leaf. */
static void collect_sample_calls(struct edge_pass *pass, uint32_t sample_ix)
{
	const struct profile *profile = pass->graph->profile;
	const struct sample *sample = &profile->samples[sample_ix];
	const uint32_t *stack = profile_stack(profile, sample);
	uint32_t caller = sample->location_count;
	for (uint32_t i = sample->location_count; i-- > 0;) {
		uint8_t class = pass->classes[stack[i]];
		if (class == LOCATION_CALLEE)
			collect_location_calls(pass, sample_ix, i, caller);
		caller = class == LOCATION_SKIPPED ? caller : i;
	}
}

static uint8_t classify(const struct edge_pass *pass, uint32_t location_ix)
{
	const struct graph *graph = pass->graph;
	uint32_t count;
	const uint32_t *nodes = graph_location_nodes(graph, location_ix, &count);
	uint8_t class = LOCATION_SKIPPED;
	for (uint32_t i = 0; i < count; i++) {
		if (!is_kept(graph, nodes[i]))
			continue;
		if (!pass->targets || pass->targets[nodes[i]])
			return LOCATION_CALLEE;
		class = LOCATION_KEPT;
	}
	return class;
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
			inlined[nodes[k]] = is_kept(graph, nodes[k]);
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
			collect_sample_calls(&pass, i);
	}
	count_calls(&pass);
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
