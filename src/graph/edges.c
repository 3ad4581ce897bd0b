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

/* A run of kept nodes of one location. */
enum run_entry {
	RUN_IS_INLINE, /* frames outside of the outermost kept one are not kept: it is inlined itself */
	RUN_COUNT,
	RUN_NODES, /* innermost first */
};

struct edge_slot {
	uint32_t edge_plus_1; /* 0 = empty */
	uint32_t hash;        /* compared before the edge is */
};

/* One step of one stack, from a kept node to the next. */
struct call {
	uint32_t source, target; /* nodes */
	int64_t value;
	uint32_t stamp; /* of the sample */
	bool is_inline;
};

/* When the slots outgrow the caches, calls are collected, so that the memory they need is asked for before it is used. */
#define CALL_LIMIT 64
#define SLOTS_IN_CACHE (1u << 16)

struct edge_pass {
	struct graph *graph;
	const bool *targets; /* by node: edges into it are wanted; NULL = all */
	size_t edge_capacity;
	struct edge_slot *slots; /* by source and target */
	uint32_t slot_mask;
	struct call calls[CALL_LIMIT]; /* not counted yet */
	uint32_t call_count;

	/* By location: its class, and if it is not skipped, its only node, or LOCATION_RUN | start of a run. */
	uint8_t *classes;
	uint32_t *kept_nodes;
	uint32_t *runs;
	size_t run_length, run_capacity;
};

static uint32_t call_hash(uint32_t source, uint32_t target)
{
	return (uint32_t)((((uint64_t)source << 32 | target) * 0x9E3779B97F4A7C15u) >> 32);
}

static inline struct edge_slot *slot_of(struct edge_pass *pass, uint32_t source, uint32_t target, uint32_t hash)
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

static struct edge *edge_add(struct edge_pass *pass, struct edge_slot *slot, uint32_t source, uint32_t target,
                             uint32_t hash)
{
	struct graph *graph = pass->graph;
	graph->edges = xgrow(graph->edges, graph->edge_count, &pass->edge_capacity, sizeof(*graph->edges));
	graph->edges[graph->edge_count] = (struct edge){ .source = source, .target = target, .is_inline = true };
	*slot = (struct edge_slot){ ++graph->edge_count, hash };
	if (graph->edge_count > pass->slot_mask / 2)
		slots_alloc(pass, (pass->slot_mask + 1) * 2);
	return &graph->edges[graph->edge_count - 1];
}

static inline void count_call(struct edge_pass *pass, const struct call *call)
{
	uint32_t hash = call_hash(call->source, call->target);
	struct edge_slot *slot = slot_of(pass, call->source, call->target, hash);
	struct edge *edge = slot->edge_plus_1 ? &pass->graph->edges[slot->edge_plus_1 - 1]
	                                      : edge_add(pass, slot, call->source, call->target, hash);
	if (edge->last_sample == call->stamp)
		return; /* once per sample, whatever recursion does */
	edge->last_sample = call->stamp;
	edge->weight = int64_add(edge->weight, call->value);
	edge->is_inline = edge->is_inline && call->is_inline;
}

static void count_collected_calls(struct edge_pass *pass)
{
	for (uint32_t i = 0; i < pass->call_count; i++) {
		uint32_t hash = call_hash(pass->calls[i].source, pass->calls[i].target);
		const struct edge_slot *slot = &pass->slots[hash & pass->slot_mask];
		if (slot->edge_plus_1)
			__builtin_prefetch(&pass->graph->edges[slot->edge_plus_1 - 1], 1);
	}
	for (uint32_t i = 0; i < pass->call_count; i++)
		count_call(pass, &pass->calls[i]);
	pass->call_count = 0;
}

static inline void take_call(struct edge_pass *pass, const struct call *call)
{
	if (pass->slot_mask < SLOTS_IN_CACHE) {
		count_call(pass, call);
		return;
	}
	__builtin_prefetch(&pass->slots[call_hash(call->source, call->target) & pass->slot_mask]);
	pass->calls[pass->call_count++] = *call;
	if (pass->call_count == CALL_LIMIT)
		count_collected_calls(pass);
}

/* The calls into a location and inside it. */
static void take_run_calls(struct edge_pass *pass, const uint32_t *run, uint32_t parent, int64_t value, uint32_t stamp)
{
	bool is_inline = run[RUN_IS_INLINE];
	for (uint32_t k = run[RUN_COUNT]; k-- > 0;) {
		uint32_t node = run[RUN_NODES + k];
		if (parent != GRAPH_NONE && parent != node && (!pass->targets || pass->targets[node]))
			take_call(pass, &(struct call){ parent, node, value, stamp, is_inline });
		parent = node;
		is_inline = true;
	}
}

/* Walks one stack from the root to the leaf. */
static void take_sample_calls(struct edge_pass *pass, const struct sample *sample, int64_t value, uint32_t stamp)
{
	const uint32_t *stack = profile_stack(pass->graph->profile, sample);
	uint32_t caller = GRAPH_NONE; /* the nearest location outside of which a node is kept */
	for (uint32_t i = sample->location_count; i-- > 0;) {
		uint8_t class = pass->classes[stack[i]];
		if (class == LOCATION_CALLEE) {
			uint32_t parent = caller == GRAPH_NONE ? GRAPH_NONE : pass->kept_nodes[caller];
			if (parent != GRAPH_NONE && parent & LOCATION_RUN)
				parent = pass->runs[(parent & ~LOCATION_RUN) + RUN_NODES];
			uint32_t node = pass->kept_nodes[stack[i]];
			if (node & LOCATION_RUN)
				take_run_calls(pass, &pass->runs[node & ~LOCATION_RUN], parent, value, stamp);
			else if (parent != GRAPH_NONE && parent != node)
				take_call(pass, &(struct call){ parent, node, value, stamp, false });
		}
		caller = class == LOCATION_SKIPPED ? caller : stack[i];
	}
}

static void add_run_entry(struct edge_pass *pass, uint32_t entry)
{
	pass->runs = xgrow(pass->runs, pass->run_length, &pass->run_capacity, sizeof(*pass->runs));
	pass->runs[pass->run_length++] = entry;
}

static void look_at_location(struct edge_pass *pass, uint32_t location_ix)
{
	const struct graph *graph = pass->graph;
	uint32_t count, kept_count = 0, outermost = 0;
	const uint32_t *nodes = graph_location_nodes(graph, location_ix, &count);
	uint8_t class = LOCATION_SKIPPED;
	for (uint32_t i = 0; i < count; i++) {
		if (graph->kept && !graph->kept[nodes[i]])
			continue;
		kept_count++;
		outermost = i;
		if (!pass->targets || pass->targets[nodes[i]])
			class = LOCATION_CALLEE;
		else if (class == LOCATION_SKIPPED)
			class = LOCATION_KEPT;
	}
	pass->classes[location_ix] = class;
	pass->kept_nodes[location_ix] = nodes[outermost];
	if (kept_count == 0 || (kept_count == 1 && outermost == count - 1))
		return;
	pass->kept_nodes[location_ix] = LOCATION_RUN | (uint32_t)pass->run_length;
	add_run_entry(pass, outermost != count - 1);
	add_run_entry(pass, kept_count);
	for (uint32_t i = 0; i < count; i++) {
		if (!graph->kept || graph->kept[nodes[i]])
			add_run_entry(pass, nodes[i]);
	}
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
	pass.kept_nodes = xreallocarray(NULL, profile->location_count, sizeof(*pass.kept_nodes));
	pass.runs = xgrow(NULL, 0, &pass.run_capacity, sizeof(*pass.runs)); /* there, however few */
	for (uint32_t i = 0; i < profile->location_count; i++)
		look_at_location(&pass, i);
	for (uint32_t i = 0; i < profile->sample_count; i++) {
		const int64_t *values = profile_values(profile, i);
		int64_t value = values[graph->options.value_ix];
		if (value || (graph->options.mean && values[0]))
			take_sample_calls(&pass, &profile->samples[i], value, i + 1);
	}
	count_collected_calls(&pass);
	free(pass.slots);
	free(pass.classes);
	free(pass.kept_nodes);
	free(pass.runs);
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
