/* nodes.c - which nodes a profile has, and what they are called. */
#include <stdio.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/xalloc.h"
#include "graph/graph.h"
#include "graph/path.h"

/* While nodes are made: finds the node of an info. */
struct node_table {
	struct graph *graph;
	size_t node_capacity;
	uint32_t *slots; /* node + 1 */
	uint32_t slot_mask;
	uint32_t *by_name; /* string → node + 1, for nodes that are nothing but a name: most, at function granularity */
	uint32_t *clean;   /* string → cleaned file name + 1 */
	uint32_t string_limit;
	uint32_t *frame_nodes;
	size_t frame_count, frame_capacity;
};

static bool info_equal(const struct node_info *a, const struct node_info *b)
{
	return a->name == b->name && a->file == b->file && a->address == b->address && a->line == b->line &&
	       a->column == b->column && a->start_line == b->start_line && a->object_file == b->object_file;
}

static uint64_t info_hash(const struct node_info *info)
{
	uint64_t key[6] = { info->address,
		                (uint64_t)info->line,
		                (uint64_t)info->column,
		                (uint64_t)info->start_line,
		                (uint64_t)info->name << 32 | info->file,
		                info->object_file };
	return XXH3_64bits(key, sizeof(key));
}

static uint32_t *slot_of(struct node_table *table, const struct node_info *info)
{
	for (uint32_t at = (uint32_t)info_hash(info);; at++) {
		uint32_t *slot = &table->slots[at & table->slot_mask];
		if (*slot == 0 || info_equal(&table->graph->nodes[*slot - 1].info, info))
			return slot;
	}
}

static void slots_alloc(struct node_table *table, uint32_t expected)
{
	uint32_t size = 64;
	while (size / 2 <= expected && size < 1u << 31)
		size *= 2;
	free(table->slots);
	table->slots = xcalloc(size, sizeof(*table->slots));
	table->slot_mask = size - 1;
}

static uint32_t node_add(struct node_table *table, const struct node_info *info)
{
	struct graph *graph = table->graph;
	graph->nodes = xgrow(graph->nodes, graph->node_count, &table->node_capacity, sizeof(*graph->nodes));
	graph->nodes[graph->node_count] = (struct node){ .info = *info };
	return graph->node_count++;
}

static uint32_t node_find_or_add(struct node_table *table, const struct node_info *info)
{
	bool name_only = !info->file && !info->address && !info->line && !info->column && !info->start_line &&
	                 !info->object_file && info->name < table->string_limit;
	if (name_only) {
		uint32_t *known = &table->by_name[info->name];
		if (!*known)
			*known = node_add(table, info) + 1;
		return *known - 1;
	}
	if (!table->slots)
		slots_alloc(table, 1024);
	uint32_t *slot = slot_of(table, info);
	if (*slot)
		return *slot - 1;
	uint32_t added = node_add(table, info);
	*slot = added + 1;
	if (table->graph->node_count > table->slot_mask / 2) {
		slots_alloc(table, table->graph->node_count * 2);
		for (uint32_t i = 0; i < table->graph->node_count; i++)
			*slot_of(table, &table->graph->nodes[i].info) = i + 1;
	}
	return added;
}

/* The file name without "//", "/./" and "x/..". */
static uint32_t clean_file(struct node_table *table, uint32_t file)
{
	if (file == 0 || file >= table->string_limit)
		return file;
	uint32_t *known = &table->clean[file];
	if (!*known)
		*known = path_clean_intern(table->graph->profile, file) + 1;
	return *known - 1;
}

static uint32_t frame_node(struct node_table *table, const struct location *location, const struct line *line)
{
	struct profile *profile = table->graph->profile;
	uint32_t object_file = location->mapping_ix == PROFILE_NONE ? 0 : profile->mappings[location->mapping_ix].file;
	struct node_info info = { .address = location->address };
	if (!line || line->function_ix == PROFILE_NONE) {
		info.object_file = object_file;
		return node_find_or_add(table, &info);
	}
	const struct function *function = &profile->functions[line->function_ix];
	info.name = function->name;
	info.file = clean_file(table, function->filename);
	info.line = line->line;
	info.column = line->column;
	if (table->graph->options.object_names || info.name == 0) {
		info.object_file = object_file;
		info.start_line = function->start_line;
	}
	return node_find_or_add(table, &info);
}

static void add_frame_entry(struct node_table *table, uint32_t entry)
{
	table->frame_nodes =
			xgrow(table->frame_nodes, table->frame_count, &table->frame_capacity, sizeof(*table->frame_nodes));
	table->frame_nodes[table->frame_count++] = entry;
}

static uint32_t location_nodes(struct node_table *table, const struct location *location)
{
	const struct line *lines = profile_lines(table->graph->profile, location);
	if (location->line_count <= 1)
		return frame_node(table, location, location->line_count ? lines : NULL);
	uint32_t start = (uint32_t)table->frame_count;
	add_frame_entry(table, location->line_count);
	for (uint32_t i = 0; i < location->line_count; i++)
		add_frame_entry(table, frame_node(table, location, &lines[i]));
	return LOCATION_RUN | start;
}

void graph_init_nodes(struct graph *graph, struct profile *profile, const struct graph_options *options)
{
	*graph = (struct graph){ .profile = profile, .options = *options };
	arena_init(&graph->arena);
	struct node_table table = { .graph = graph, .string_limit = profile->strings.count };
	table.by_name = xcalloc(table.string_limit, sizeof(*table.by_name));
	table.clean = xcalloc(table.string_limit, sizeof(*table.clean));
	graph->location_nodes = xreallocarray(NULL, profile->location_count, sizeof(*graph->location_nodes));
	for (uint32_t i = 0; i < profile->location_count; i++)
		graph->location_nodes[i] = location_nodes(&table, &profile->locations[i]);
	graph->frame_nodes = table.frame_nodes;
	free(table.slots);
	free(table.by_name);
	free(table.clean);
}

void graph_release(struct graph *graph)
{
	free(graph->nodes);
	free(graph->location_nodes);
	free(graph->frame_nodes);
	free(graph->shown);
	free(graph->kept);
	free(graph->edges);
	free(graph->in_edges);
	free(graph->out_edges);
	arena_release(&graph->arena);
	*graph = (struct graph){ 0 };
}

/* --- names --------------------------------------------------------------------------------------------------------- */

/* The last part of a printable name: where it is, as well as is known. */
static void append_place(struct buffer *text, const struct graph *graph, const struct node_info *info)
{
	const struct profile *profile = graph->profile;
	struct str file = profile_str(profile, info->file);
	if (info->line) {
		buffer_printf(text, " %.*s:%lld", STR_ARG(file), (long long)info->line);
		if (info->column)
			buffer_printf(text, ":%lld", (long long)info->column);
	} else if (info->file) {
		buffer_append_char(text, ' ');
		buffer_append_str(text, file);
	} else if (info->name) {
		return;
	} else if (info->object_file) {
		struct str base = str_base_name(profile_str(profile, info->object_file));
		buffer_printf(text, " [%.*s]", STR_ARG(base));
	} else {
		buffer_append_text(text, " <unknown>");
	}
}

struct str node_printable(struct graph *graph, uint32_t node_ix)
{
	struct node *node = &graph->nodes[node_ix];
	if (node->printable.data)
		return node->printable;
	const struct node_info *info = &node->info;
	struct str name = profile_str(graph->profile, info->name);
	if (info->name && !info->address && !info->line && !info->file)
		return node->printable = name;
	struct buffer text;
	buffer_init(&text, BUFFER_UNLIMITED);
	if (info->address)
		buffer_printf(&text, " %016llx", (unsigned long long)info->address);
	if (info->name) {
		buffer_append_char(&text, ' ');
		buffer_append_str(&text, name);
	}
	append_place(&text, graph, info);
	node->printable = arena_copy(&graph->arena, str_from(buffer_str(&text), 1));
	buffer_release(&text);
	return node->printable;
}
