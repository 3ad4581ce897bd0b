/* common.h - what several report formats share. Internal to this layer. */
#ifndef CPPROF_REPORT_COMMON_H
#define CPPROF_REPORT_COMMON_H

#include "graph/graph.h"
#include "profile/units.h"
#include "report/report.h"

/* A value as this report shows it. Returns the length. */
size_t report_value(const struct report *report, int64_t value, char text[UNIT_LABEL_SIZE]);
/* The same, written right-aligned. */
void report_put_value(const struct report *report, struct out *out, int64_t value, size_t width);
/* The share of the value in the whole, as tables want it. */
void report_put_percentage(struct out *out, int64_t value, int64_t whole);

/* A graph with all its nodes; file names trimmed. Lives until graph_release. */
void report_graph(struct report *report, bool object_names, struct graph *ret_graph);

/* What trimming left out. */
struct trimming {
	uint32_t original_count; /* nodes after the cutoff, before the limit on their number */
	uint32_t dropped_count;  /* nodes below the cutoff */
	int64_t edge_cutoff;
};

/* The graph trimmed and sorted, without edges; the output unit is chosen. */
void report_trimmed_graph(struct report *report, struct graph *ret_graph, struct trimming *ret_trimming);

/* The header above text and tree reports. */
void report_put_labels(const struct report *report, struct out *out, const struct graph *graph,
                       const struct trimming *trimming);

#endif
