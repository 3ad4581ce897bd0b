/* graph.h - from samples to nodes and edges: who is how expensive, and who called whom.
 *
 * A node is one distinct frame at the granularity that the profile was aggregated to. Building takes two steps, because
 * most reports need only the first: values (flat and cum of every node, one pass over the samples), then edges between
 * the nodes that are kept (a second pass). Trimming never changes a node's values, only which nodes and edges exist.
 */
#ifndef CPPROF_GRAPH_GRAPH_H
#define CPPROF_GRAPH_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/number.h"
#include "profile/profile.h"

#define GRAPH_NONE UINT32_MAX

/* What distinguishes two nodes. Strings are the profile's. */
struct node_info {
	uint64_t address;
	int64_t line;
	int64_t column;
	int64_t start_line;
	uint32_t name;
	uint32_t file;
	uint32_t object_file;
};

struct node {
	struct node_info info;
	struct str printable; /* "ADDRESS NAME FILE:LINE", as reports show it; data NULL until node_printable was asked */
	int64_t flat, flat_divisor;
	int64_t cum, cum_divisor;
	uint32_t in_start, in_count;   /* into graph->in_edges */
	uint32_t out_start, out_count; /* into graph->out_edges */
};

struct edge {
	uint32_t source, target; /* nodes */
	int64_t weight;
	uint32_t last_sample; /* while building: the sample that was counted last, + 1 */
	bool is_inline;       /* every call was inlined */
};

struct graph_options {
	uint32_t value_ix;  /* sample type */
	bool mean;          /* divide by the first sample type */
	bool object_names;  /* object file and start line are part of a node's identity */
	bool drop_negative; /* leave out nodes with negative values */
};

struct graph {
	struct profile *profile; /* not owned; strings may be added */
	struct graph_options options;
	struct arena arena; /* printable names */

	struct node *nodes; /* all of the profile, in order of first appearance */
	uint32_t node_count;

	/* Per location: its node if it has one frame, or LOCATION_RUN | start of a run in frame_nodes. */
	uint32_t *location_nodes;
	uint32_t *frame_nodes; /* runs: count, then the nodes, innermost first */

	/* The nodes that the report shows, in its order. */
	uint32_t *shown;
	uint32_t shown_count;
	bool *kept; /* by node; NULL while every node is kept */

	struct edge *edges;
	uint32_t edge_count;
	uint32_t *in_edges, *out_edges; /* edges by target / source, only those that were not trimmed */
};

#define LOCATION_RUN (1u << 31)

/* The frames of a location as nodes, innermost first. */
static inline const uint32_t *graph_location_nodes(const struct graph *graph, uint32_t location_ix, uint32_t *ret_count)
{
	const uint32_t *node = &graph->location_nodes[location_ix];
	if (!(*node & LOCATION_RUN)) {
		*ret_count = 1;
		return node;
	}
	const uint32_t *run = &graph->frame_nodes[*node & ~LOCATION_RUN];
	*ret_count = run[0];
	return run + 1;
}

/* Creates the nodes of every location, without values: enough to print stacks. */
void graph_init_nodes(struct graph *graph, struct profile *profile, const struct graph_options *options);
/* Creates nodes and sums up their values; every node with a value is shown, unordered. */
void graph_init(struct graph *graph, struct profile *profile, const struct graph_options *options);
void graph_release(struct graph *graph);

/* Raw sums over the shown nodes. */
int64_t graph_flat_sum(const struct graph *graph);

/* Keeps the shown nodes with |cum| >= cutoff; returns how many were dropped. */
uint32_t graph_drop_below(struct graph *graph, int64_t cutoff);
/* Keeps the first `count` shown nodes. */
void graph_keep_first(struct graph *graph, uint32_t count);
/* Orders the shown nodes by |flat| (or |cum|), then name. */
void graph_sort(struct graph *graph, bool by_cum);

/* Builds the edges between kept nodes and drops those into shown nodes with |weight| < cutoff. With `inline_targets_only` just
 * the edges into nodes that were ever inlined: all that is needed to mark nodes as inline. */
void graph_build_edges(struct graph *graph, int64_t cutoff, bool inline_targets_only);
/* Orders `count` edge indices by |weight|, then source name, then target name. */
void graph_sort_edges(struct graph *graph, uint32_t *edges, uint32_t count);

/* The node's name for people, made on first use. */
struct str node_printable(struct graph *graph, uint32_t node_ix);

/* value / divisor; 0 divides by nothing, -1 wraps instead of trapping. */
static inline int64_t mean_value(int64_t value, int64_t divisor)
{
	if (divisor == -1)
		return (int64_t)(0 - (uint64_t)value);
	return divisor ? value / divisor : value;
}

static inline int64_t node_flat(const struct node *node)
{
	return mean_value(node->flat, node->flat_divisor);
}

static inline int64_t node_cum(const struct node *node)
{
	return mean_value(node->cum, node->cum_divisor);
}

#endif
