/* test_graph.c - nodes and their values, edges, trimming, orders, and file names. */
#include "make_profile.h"

#include "graph/graph.h"
#include "base/path.h"
#include "graph/path.h"

/* The shown nodes as "NAME FLAT CUM" and, once they are built, their outgoing edges as " > NAME WEIGHT", heaviest first. */
static void append_graph_text(struct graph *graph, struct buffer *to)
{
	for (uint32_t i = 0; i < graph->shown_count; i++) {
		const struct node *node = &graph->nodes[graph->shown[i]];
		struct str name = node_printable(graph, graph->shown[i]);
		buffer_printf(to, "%.*s %lld %lld\n", STR_ARG(name), (long long)node_flat(node), (long long)node_cum(node));
		if (!graph->out_edges)
			continue;
		uint32_t *edges = graph->out_edges + node->out_start;
		graph_sort_edges(graph, edges, node->out_count);
		for (uint32_t k = 0; k < node->out_count; k++) {
			const struct edge *edge = &graph->edges[edges[k]];
			struct str target = node_printable(graph, edge->target);
			buffer_printf(to, " > %.*s %lld%s\n", STR_ARG(target), (long long)edge->weight,
			              edge->is_inline ? " inline" : "");
		}
	}
}

#define assert_graph(graph, expected) \
	do { \
		struct buffer graph_text; \
		buffer_init(&graph_text, 1 << 20); \
		append_graph_text(graph, &graph_text); \
		assert_string_equal(buffer_text(&graph_text), expected); \
		buffer_release(&graph_text); \
	} while (0)

/* Files would stand behind every name; most tests are clearer without. */
static void forget_files(struct profile *profile)
{
	for (uint32_t i = 0; i < profile->function_count; i++)
		profile->functions[i].filename = 0;
}

static void recursion_counts_once_a_sample(void **state)
{
	(void)state;
	struct profile profile;
	struct graph graph;
	make_profile(&profile, "n/count");
	SAMPLE(&profile, "f g f g f main", 10);
	SAMPLE(&profile, "f f main", 1);
	SAMPLE(&profile, "g f main", 100);
	SAMPLE(&profile, "unseen main", 0);
	SAMPLE(&profile, "", 5);
	forget_files(&profile);
	graph_init(&graph, &profile, &(struct graph_options){ 0 });
	graph_build_edges(&graph, 0, false);
	graph_sort(&graph, false);
	assert_int_equal(graph.node_count, 4);
	assert_graph(&graph, "g 100 110\n > f 10\n"
	                     "f 11 111\n > g 110\n" /* a call of itself is no edge */
	                     "main 0 111\n > f 111\n");
	assert_true(graph_flat_sum(&graph) == 111);
	graph_release(&graph);
	profile_release(&profile);
}

static void inlined_frames_are_nodes(void **state)
{
	(void)state;
	struct profile profile;
	struct graph graph;
	make_profile(&profile, "n/count");
	SAMPLE(&profile, "in+mid+out main", 10);
	SAMPLE(&profile, "leaf in+mid+out main", 5);
	SAMPLE(&profile, "in mid", 1); /* the same call, not inlined here */
	SAMPLE(&profile, "r+r main", 3);
	forget_files(&profile);
	graph_init(&graph, &profile, &(struct graph_options){ 0 });
	graph_build_edges(&graph, 0, false);
	graph_sort(&graph, true);
	assert_graph(&graph, "main 0 18\n > out 15\n > r 3\n"
	                     "in 11 16\n > leaf 5\n"
	                     "mid 0 16\n > in 16\n"
	                     "out 0 15\n > mid 15 inline\n"
	                     "leaf 5 5\n"
	                     "r 3 3\n");
	graph_release(&graph);

	/* Enough for reports that only ask whether callers are inline: edges into nodes that ever were. */
	graph_init(&graph, &profile, &(struct graph_options){ 0 });
	graph_build_edges(&graph, 0, true);
	graph_sort(&graph, true);
	assert_graph(&graph, "main 0 18\n > r 3\n"
	                     "in 11 16\n"
	                     "mid 0 16\n > in 16\n"
	                     "out 0 15\n > mid 15 inline\n"
	                     "leaf 5 5\n"
	                     "r 3 3\n");
	graph_release(&graph);
	profile_release(&profile);
}

static void edges_pass_over_nodes_that_were_trimmed(void **state)
{
	(void)state;
	struct profile profile;
	struct graph graph;
	make_profile(&profile, "n/count");
	SAMPLE(&profile, "leaf small main", 5);
	SAMPLE(&profile, "leaf tiny small main", 2);
	SAMPLE(&profile, "leaf main", 100);
	SAMPLE(&profile, "tiny main", 1); /* the leaf is gone: its flat value with it */
	SAMPLE(&profile, "leaf other main", 10);
	forget_files(&profile);
	graph_init(&graph, &profile, &(struct graph_options){ 0 });
	assert_int_equal(graph_drop_below(&graph, 8), 2);
	graph_sort(&graph, false);
	graph_build_edges(&graph, 0, false);
	assert_graph(&graph, "leaf 117 117\n"
	                     "main 0 118\n > leaf 107\n > other 10\n"
	                     "other 0 10\n > leaf 10\n");
	graph_release(&graph);

	graph_init(&graph, &profile, &(struct graph_options){ 0 });
	assert_int_equal(graph_drop_below(&graph, 3), 0);
	graph_release(&graph);

	/* A limit on the number of nodes, and one on the weight of edges. */
	graph_init(&graph, &profile, &(struct graph_options){ 0 });
	graph_sort(&graph, true);
	graph_keep_first(&graph, 99);
	assert_int_equal(graph.shown_count, 5);
	graph_keep_first(&graph, 3);
	graph_build_edges(&graph, 10, false);
	assert_graph(&graph, "main 0 118\n > leaf 107\n > other 10\n"
	                     "leaf 117 117\n"
	                     "other 0 10\n > leaf 10\n");
	graph_release(&graph);
	graph_init(&graph, &profile, &(struct graph_options){ 0 });
	graph_sort(&graph, true);
	graph_keep_first(&graph, 3);
	graph_build_edges(&graph, 11, false);
	assert_graph(&graph, "main 0 118\n > leaf 107\nleaf 117 117\nother 0 10\n");
	graph_release(&graph);
	profile_release(&profile);
}

static void negative_values_count_by_magnitude(void **state)
{
	(void)state;
	struct profile profile;
	struct graph graph;
	make_profile(&profile, "n/count");
	SAMPLE(&profile, "a main", -50);
	SAMPLE(&profile, "b main", 40);
	SAMPLE(&profile, "c d main", 30);
	SAMPLE(&profile, "c e main", -30); /* cancels in c, not in its callers */
	forget_files(&profile);
	graph_init(&graph, &profile, &(struct graph_options){ 0 });
	graph_sort(&graph, false);
	graph_build_edges(&graph, 0, false);
	assert_graph(&graph, "a -50 -50\nb 40 40\n"
	                     "d 0 30\n > c 30\n"
	                     "e 0 -30\n > c -30\n"
	                     "main 0 -10\n > a -50\n > b 40\n > d 30\n > e -30\n");
	assert_int_equal(graph_drop_below(&graph, 35), 3);
	graph_release(&graph);
	graph_init(&graph, &profile, &(struct graph_options){ .drop_negative = true });
	graph_sort(&graph, false);
	assert_graph(&graph, "b 40 40\nd 0 30\n");
	graph_release(&graph);
	profile_release(&profile);
}

static void mean_divides_by_the_first_type(void **state)
{
	(void)state;
	struct profile profile;
	struct graph graph;
	make_profile(&profile, "contentions/count delay/ns");
	SAMPLE(&profile, "lock main", 2, 100);
	SAMPLE(&profile, "lock main", 3, 105);
	SAMPLE(&profile, "main", 1, 7);
	SAMPLE(&profile, "free main", 0, 9); /* nothing to divide by */
	SAMPLE(&profile, "none main", 4, 0);
	forget_files(&profile);
	graph_init(&graph, &profile, &(struct graph_options){ .value_ix = 1, .mean = true });
	graph_sort(&graph, false);
	graph_build_edges(&graph, 0, false);
	assert_graph(&graph, "lock 41 41\n" /* 205 / 5 */
	                     "free 9 9\n"
	                     "main 7 22\n > lock 205\n > free 9\n > none 0\n");
	graph_release(&graph);
	profile_release(&profile);
	assert_true(mean_value(7, 0) == 7);
	assert_true(mean_value(INT64_MIN, -1) == INT64_MIN);
	assert_true(mean_value(-7, 2) == -3);
}

static void nodes_are_told_apart_by_what_is_known(void **state)
{
	(void)state;
	struct profile profile;
	struct graph graph;
	make_profile(&profile, "n/count");
	make_mapping(&profile, 0x1000, 0x3000, "/lib/lib.so", "");
	SAMPLE(&profile, "f:3@1000", 1);
	SAMPLE(&profile, "f:4@1000", 2);
	SAMPLE(&profile, "f", 4);
	SAMPLE(&profile, "?@1080", 8);
	SAMPLE(&profile, "?", 16);
	SAMPLE(&profile, "f:5", 32);
	profile.lines[3].column = 6;
	make_mapping(&profile, 0, 0, "", "");
	SAMPLE(&profile, "g", 64);
	profile.functions[1].name = 0; /* neither name ... */
	profile.functions[1].filename = 0;
	SAMPLE(&profile, "h", 128);
	profile.functions[2].name = 0; /* ... nor more than a file */
	graph_init(&graph, &profile, &(struct graph_options){ 0 });
	graph_sort(&graph, false);
	assert_graph(&graph, "h.c 128 128\n"
	                     "<unknown> 64 64\n"
	                     "f f.c:5:6 32 32\n"
	                     "[lib.so] 16 16\n"
	                     "0000000000001080 [lib.so] 8 8\n"
	                     "f f.c 4 4\n"
	                     "0000000000001000 f f.c:4 2 2\n"
	                     "0000000000001000 f f.c:3 1 1\n");
	graph_release(&graph);
	profile_release(&profile);
}

static void object_files_count_only_if_asked(void **state)
{
	(void)state;
	struct profile profile;
	struct graph graph;
	make_profile(&profile, "n/count");
	make_mapping(&profile, 0, 0, "a.so", "");
	SAMPLE(&profile, "f", 1);
	make_mapping(&profile, 0, 0, "b.so", "");
	SAMPLE(&profile, "f g", 2);
	profile.sample_locations[1] = 0;
	struct location *twin = profile_add_location(&profile); /* f again, in the other object */
	*twin = profile.locations[0];
	twin->id = 3;
	twin->mapping_ix = 1;
	profile.sample_locations[1] = 2;
	graph_init(&graph, &profile, &(struct graph_options){ 0 });
	assert_int_equal(graph.shown_count, 2);
	graph_release(&graph);
	graph_init(&graph, &profile, &(struct graph_options){ .object_names = true });
	assert_int_equal(graph.shown_count, 3);
	graph_release(&graph);
	profile_release(&profile);
}

static void equal_values_are_ordered_by_name_then_by_the_other_value(void **state)
{
	(void)state;
	struct profile profile;
	struct graph graph;
	make_profile(&profile, "n/count");
	SAMPLE(&profile, "b", 5);
	SAMPLE(&profile, "a", -5);
	SAMPLE(&profile, "first", 3);
	SAMPLE(&profile, "second", 3);
	SAMPLE(&profile, "z second", 1);
	forget_files(&profile);
	profile.functions[3].name = profile.functions[2].name; /* two nodes of one name, apart by their start lines */
	profile.functions[2].start_line = 7;
	graph_init(&graph, &profile, &(struct graph_options){ .object_names = true });
	graph_sort(&graph, false);
	assert_graph(&graph, "a -5 -5\nb 5 5\nfirst 3 4\nfirst 3 3\nz 1 1\n");
	graph_sort(&graph, true);
	assert_graph(&graph, "a -5 -5\nb 5 5\nfirst 3 4\nfirst 3 3\nz 1 1\n");
	graph_release(&graph);
	profile_release(&profile);
}

static void many_nodes_and_edges_are_found_again(void **state)
{
	(void)state;
	struct profile profile;
	struct graph graph;
	make_profile(&profile, "n/count");
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 700; i++) {
			char stack[64];
			snprintf(stack, sizeof(stack), "leaf:%u@%x root:%u", i + 1, i + 1, i % 7 + 1);
			SAMPLE(&profile, stack, 1);
		}
	}
	graph_init(&graph, &profile, &(struct graph_options){ 0 });
	graph_build_edges(&graph, 0, false);
	assert_int_equal(graph.node_count, 707);
	assert_int_equal(graph.edge_count, 700);
	for (uint32_t i = 0; i < graph.edge_count; i++)
		assert_int_equal(graph.edges[i].weight, 2);
	graph_release(&graph);
	profile_release(&profile);
}

/* --- paths ------------------------------------------------------------------------------------------------------------ */

static void paths_are_cleaned_as_go_does(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "", "." },
		{ ".", "." },
		{ "a", "a" },
		{ "a/", "a" },
		{ "/", "/" },
		{ "//", "/" },
		{ "a//b", "a/b" },
		{ "a/./b", "a/b" },
		{ "a/../b", "b" },
		{ "a/..", "." },
		{ "../a", "../a" },
		{ "../../a", "../../a" },
		{ "/..", "/" },
		{ "/../a", "/a" },
		{ "/a/../..", "/" },
		{ "a/../..", ".." },
		{ "a/b/../../c", "c" },
		{ "./.x", ".x" },
		{ "a/..b", "a/..b" },
		{ "/a/b/", "/a/b" },
		{ "../..", "../.." },
		{ "a/../../b", "../b" },
	};
	struct profile profile;
	make_profile(&profile, "n/count");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buffer clean;
		buffer_init(&clean, 1000);
		buffer_append_text(&clean, "x/"); /* what was there is left alone */
		path_clean(str_of(cases[i][0]), &clean);
		assert_str(str_from(buffer_str(&clean), 2), cases[i][1]);
		uint32_t path = profile_intern_text(&profile, cases[i][0]);
		assert_str(profile_str(&profile, path_clean_intern(&profile, path)), cases[i][1]);
		buffer_release(&clean);
	}
	profile_release(&profile);
}

static void prefixes_are_trimmed(void **state)
{
	(void)state;
	static const struct {
		const char *path, *trim_path, *search_path, *trimmed;
	} cases[] = {
		{ "/home/me/app/src/a.c", "", "", "/home/me/app/src/a.c" },
		{ "/home/me/app/src/a.c", "", "/build/app", "src/a.c" },
		{ "/home/me/app/src/a.c", "", "/build/me:/build/app", "app/src/a.c" },
		{ "/home/me/app/src/a.c", "", "/build/other", "/home/me/app/src/a.c" },
		{ "/home/me/app/src/a.c", "/home/me", "/build/app", "app/src/a.c" },
		{ "/home/me/app/src/a.c", "/nowhere:/home/me/", "", "app/src/a.c" },
		{ "/home/me/app/src/a.c", "/home/m", "", "/home/me/app/src/a.c" },
		{ "/proc/self/cwd/a.c", "", "", "a.c" },
		{ "/proc/self/cwd/./a.c", "/x", "", "a.c" },
		{ "/home/a.c", "/nowhere:", "", "home/a.c" }, /* an empty prefix is the root */
		{ "/home/a.c", ":/home", "", "home/a.c" },
		{ "a/./b.c", "", "/nowhere:", "b.c" }, /* and an empty directory is "." */
		{ "a.c", "", "", "a.c" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_str(path_trim(str_of(cases[i].path), str_of(cases[i].trim_path), str_of(cases[i].search_path)),
		           cases[i].trimmed);
}

static void lists_of_paths_have_empty_parts(void **state)
{
	(void)state;
	struct str list = STR_LITERAL("a::b:"), part;
	static const char *const parts[] = { "a", "", "b", "" };
	for (size_t i = 0; i < 4; i++) {
		assert_true(path_list_next(&list, &part));
		assert_str(part, parts[i]);
	}
	assert_false(path_list_next(&list, &part));
	assert_false(path_list_next(&list, &part));
	list = STR_LITERAL("");
	assert_false(path_list_next(&list, &part)); /* an empty list has none */
	list = STR_LITERAL(":");
	assert_true(path_list_next(&list, &part));
	assert_int_equal(part.length, 0);
	assert_true(path_list_next(&list, &part));
	assert_int_equal(part.length, 0);
	assert_false(path_list_next(&list, &part));
	list = (struct str){ "a:b", 1 }; /* a view: what stands behind it is not read */
	assert_true(path_list_next(&list, &part));
	assert_false(path_list_next(&list, &part));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recursion_counts_once_a_sample),
		cmocka_unit_test(inlined_frames_are_nodes),
		cmocka_unit_test(edges_pass_over_nodes_that_were_trimmed),
		cmocka_unit_test(negative_values_count_by_magnitude),
		cmocka_unit_test(mean_divides_by_the_first_type),
		cmocka_unit_test(nodes_are_told_apart_by_what_is_known),
		cmocka_unit_test(object_files_count_only_if_asked),
		cmocka_unit_test(equal_values_are_ordered_by_name_then_by_the_other_value),
		cmocka_unit_test(many_nodes_and_edges_are_found_again),
		cmocka_unit_test(paths_are_cleaned_as_go_does),
		cmocka_unit_test(prefixes_are_trimmed),
		cmocka_unit_test(lists_of_paths_have_empty_parts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
