/* values.c - flat and cum of every node, and which nodes are shown.
 *
 * One pass over the samples. A stack counts a node once however often it recurses, which a stamp per node tells: the
 * number of the sample that counted it last.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "graph/graph.h"

/* The part of a node that the pass touches, packed for the cache. */
struct tally {
	int64_t cum, flat;
	uint32_t last_sample;
};

struct pass {
	struct graph *graph;
	struct tally *tallies;
	int64_t *cum_divisors; /* NULL without mean */
};

static inline void count_node(struct pass *pass, uint32_t node_ix, int64_t value, int64_t divisor, uint32_t stamp)
{
	struct tally *tally = &pass->tallies[node_ix];
	if (tally->last_sample == stamp)
		return;
	tally->last_sample = stamp;
	tally->cum = int64_add(tally->cum, value);
	if (pass->cum_divisors)
		pass->cum_divisors[node_ix] = int64_add(pass->cum_divisors[node_ix], divisor);
}

static void count_sample(struct pass *pass, const struct sample *sample, int64_t value, int64_t divisor, uint32_t stamp)
{
	struct graph *graph = pass->graph;
	const uint32_t *stack = profile_stack(graph->profile, sample);
	for (uint32_t i = 0; i < sample->location_count; i++) {
		uint32_t entry = graph->location_nodes[stack[i]];
		if (__builtin_expect(!(entry & LOCATION_RUN), 1)) {
			count_node(pass, entry, value, divisor, stamp);
			continue;
		}
		const uint32_t *run = &graph->frame_nodes[entry & ~LOCATION_RUN];
		for (uint32_t k = 1; k <= run[0]; k++)
			count_node(pass, run[k], value, divisor, stamp);
	}
	if (sample->location_count) {
		uint32_t unused;
		uint32_t leaf = *graph_location_nodes(graph, stack[0], &unused);
		pass->tallies[leaf].flat = int64_add(pass->tallies[leaf].flat, value);
		if (pass->cum_divisors)
			graph->nodes[leaf].flat_divisor = int64_add(graph->nodes[leaf].flat_divisor, divisor);
	}
}

static void sum_values(struct graph *graph)
{
	const struct profile *profile = graph->profile;
	struct pass pass = { .graph = graph, .tallies = xcalloc(graph->node_count, sizeof(struct tally)) };
	if (graph->options.mean)
		pass.cum_divisors = xcalloc(graph->node_count, sizeof(*pass.cum_divisors));
	for (uint32_t i = 0; i < profile->sample_count; i++) {
		const int64_t *values = profile_values(profile, i);
		int64_t value = values[graph->options.value_ix], divisor = graph->options.mean ? values[0] : 0;
		if (value || divisor)
			count_sample(&pass, &profile->samples[i], value, divisor, i + 1);
	}
	for (uint32_t i = 0; i < graph->node_count; i++) {
		graph->nodes[i].cum = pass.tallies[i].cum;
		graph->nodes[i].flat = pass.tallies[i].flat;
		graph->nodes[i].cum_divisor = pass.cum_divisors ? pass.cum_divisors[i] : 0;
	}
	free(pass.tallies);
	free(pass.cum_divisors);
}

static bool is_negative(const struct node *node)
{
	return node->flat < 0 || (node->flat == 0 && node->cum < 0);
}

void graph_init(struct graph *graph, struct profile *profile, const struct graph_options *options)
{
	graph_init_nodes(graph, profile, options);
	sum_values(graph);
	graph->shown = xreallocarray(NULL, graph->node_count, sizeof(*graph->shown));
	for (uint32_t i = 0; i < graph->node_count; i++) {
		const struct node *node = &graph->nodes[i];
		if ((node->cum || node->flat) && !(options->drop_negative && is_negative(node)))
			graph->shown[graph->shown_count++] = i;
	}
}

int64_t graph_flat_sum(const struct graph *graph)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < graph->shown_count; i++)
		sum += (uint64_t)graph->nodes[graph->shown[i]].flat;
	return (int64_t)sum;
}

/* From now on only shown nodes exist: a sample's path passes over the others. */
static void keep_shown(struct graph *graph)
{
	free(graph->kept);
	graph->kept = xcalloc(graph->node_count, sizeof(*graph->kept));
	for (uint32_t i = 0; i < graph->shown_count; i++)
		graph->kept[graph->shown[i]] = true;
}

uint32_t graph_drop_below(struct graph *graph, int64_t cutoff)
{
	uint32_t left = 0, before = graph->shown_count;
	for (uint32_t i = 0; i < before; i++) {
		if (int64_magnitude(graph->nodes[graph->shown[i]].cum) >= cutoff)
			graph->shown[left++] = graph->shown[i];
	}
	graph->shown_count = left;
	/* When nothing was dropped, nodes without value stay in the paths, as ends of edges. */
	if (left != before)
		keep_shown(graph);
	return before - left;
}

void graph_keep_first(struct graph *graph, uint32_t count)
{
	if (count >= graph->shown_count)
		return;
	graph->shown_count = count;
	keep_shown(graph);
}

/* --- order ------------------------------------------------------------------------------------------------------------- */

struct node_order {
	struct graph *graph;
	bool by_cum;
};

static int compare_int64(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

/* Equal names can only be told apart by what is not printed. */
static int compare_infos(const struct node_info *a, const struct node_info *b)
{
	int order = compare_int64(a->start_line, b->start_line);
	return order ? order : compare_int64(a->object_file, b->object_file);
}

static int compare_nodes(const void *left, const void *right, void *context)
{
	const struct node_order *order = context;
	uint32_t a_ix = *(const uint32_t *)left, b_ix = *(const uint32_t *)right;
	const struct node *a = &order->graph->nodes[a_ix], *b = &order->graph->nodes[b_ix];
	int64_t a_key = int64_magnitude(order->by_cum ? a->cum : a->flat),
			b_key = int64_magnitude(order->by_cum ? b->cum : b->flat);
	if (a_key != b_key)
		return a_key > b_key ? -1 : 1;
	int names = str_compare(node_printable(order->graph, a_ix), node_printable(order->graph, b_ix));
	if (names)
		return names;
	a_key = int64_magnitude(order->by_cum ? a->flat : a->cum);
	b_key = int64_magnitude(order->by_cum ? b->flat : b->cum);
	if (a_key != b_key)
		return a_key > b_key ? -1 : 1;
	return compare_infos(&a->info, &b->info);
}

void graph_sort(struct graph *graph, bool by_cum)
{
	struct node_order order = { graph, by_cum };
	if (graph->shown_count > 1)
		qsort_r(graph->shown, graph->shown_count, sizeof(*graph->shown), compare_nodes, &order);
}
