/* render.c - a table as profile.proto, with what names can be had; and names for /debug/pprof/symbol.
 *
 * Not here: the text forms (render_text.c, render_threads.c).
 */
#include "runtime/collect/render.h"

#include <string.h>

#include "profile/codec.h"
#include "profile/profile.h"
#include "runtime/collect/frame_set.h"
#include "runtime/collect/text.h"
#include "runtime/shared/own_libc.h"
#include "runtime/shared/region.h"
#include "runtime/shared/settings.h"
#include "wire/gzip.h"

#define PROFILE_MAX ((size_t)1024 * 1024 * 1024)

/* How many locations of a mapping have been named how well. */
struct coverage {
	uint32_t locations, named, with_file, with_line;
};

struct builder {
	const struct table *table;
	struct profile profile;
	struct frame_set frames;   /* location i is frame i */
	struct coverage *coverage; /* by module */
	uint32_t *function_slots;  /* index + 1 */
	uint32_t function_mask;
};

static uint32_t intern(struct builder *builder, const char *text)
{
	return profile_intern_text(&builder->profile, text_valid(text));
}

/* --- functions and locations ---------------------------------------------------------------------------------------- */

static uint32_t function_hash(const struct function *function)
{
	uint64_t hash = function->name;
	hash = (hash * 0x9E3779B97F4A7C15u) ^ function->system_name;
	hash = (hash * 0x9E3779B97F4A7C15u) ^ function->filename;
	hash = (hash * 0x9E3779B97F4A7C15u) ^ (uint64_t)function->start_line;
	return (uint32_t)((hash * 0x9E3779B97F4A7C15u) >> 32);
}

static bool is_same_function(const struct function *a, const struct function *b)
{
	return a->name == b->name && a->system_name == b->system_name && a->filename == b->filename &&
	       a->start_line == b->start_line;
}

static void rehash_functions(struct builder *builder)
{
	uint32_t size = builder->function_slots ? 2 * (builder->function_mask + 1) : 1024;
	builder->function_slots = work_alloc_array(size, sizeof(*builder->function_slots));
	builder->function_mask = size - 1;
	for (uint32_t i = 0; i < builder->profile.function_count; i++) {
		uint32_t at = function_hash(&builder->profile.functions[i]) & builder->function_mask;
		while (builder->function_slots[at])
			at = (at + 1) & builder->function_mask;
		builder->function_slots[at] = i + 1;
	}
}

static uint32_t function_ix(struct builder *builder, const char *name, const char *system_name, const char *file,
                            uint32_t start_line)
{
	struct function wanted = {
		.name = intern(builder, name),
		.system_name = intern(builder, system_name),
		.filename = intern(builder, file),
		.start_line = start_line,
	};
	if (!builder->function_slots || builder->profile.function_count > builder->function_mask / 2)
		rehash_functions(builder);
	uint32_t at = function_hash(&wanted) & builder->function_mask;
	for (; builder->function_slots[at]; at = (at + 1) & builder->function_mask) {
		uint32_t ix = builder->function_slots[at] - 1;
		if (is_same_function(&builder->profile.functions[ix], &wanted))
			return ix;
	}
	struct function *function = profile_add_function(&builder->profile);
	*function = wanted;
	function->id = builder->profile.function_count;
	builder->function_slots[at] = builder->profile.function_count;
	return builder->profile.function_count - 1;
}

/* A location of one name and nothing else: pseudo frames, and wrappers of ours. */
static void add_named_location(struct builder *builder, const char *name)
{
	uint32_t line = profile_add_lines(&builder->profile, 1);
	builder->profile.lines[line].function_ix = function_ix(builder, name, name, NULL, 0);
	struct location *location = profile_add_location(&builder->profile);
	location->id = builder->profile.location_count;
	location->mapping_ix = PROFILE_NONE;
	location->line_start = line;
	location->line_count = 1;
}

static void count_coverage(struct coverage *coverage, const struct name *name)
{
	bool file = name->line_count > 0, line = name->line_count > 0;
	for (uint32_t i = 0; i < name->line_count; i++) {
		file &= name->lines[i].file != NULL;
		line &= name->lines[i].line != 0;
	}
	coverage->locations++;
	coverage->named += name->line_count > 0;
	coverage->with_file += file;
	coverage->with_line += line;
}

static void add_address_location(struct builder *builder, uint32_t frame_ix)
{
	const struct name *name = &builder->frames.names[frame_ix];
	const struct module *module = frame_set_module(&builder->frames, frame_ix);
	uint32_t first = profile_add_lines(&builder->profile, name->line_count);
	for (uint32_t i = 0; i < name->line_count; i++) {
		const struct name_line *line = &name->lines[i];
		uint32_t function = function_ix(builder, line->function, line->system_name, line->file, line->start_line);
		builder->profile.lines[first + i].function_ix = function;
		builder->profile.lines[first + i].line = line->line;
	}
	struct location *location = profile_add_location(&builder->profile);
	location->id = builder->profile.location_count;
	location->address = builder->frames.frames[frame_ix];
	location->mapping_ix = module ? (uint32_t)(module - builder->frames.modules.modules) : PROFILE_NONE;
	location->line_start = first;
	location->line_count = name->line_count;
	if (module)
		count_coverage(&builder->coverage[location->mapping_ix], name);
}

static void add_locations(struct builder *builder)
{
	for (uint32_t i = 0; i < builder->frames.count; i++) {
		uintptr_t frame = builder->frames.frames[i];
		const struct name *name = &builder->frames.names[i];
		if (frame < PSEUDO_LIMIT) {
			const char *text = pseudo_frame_name(frame);
			add_named_location(builder, text ? text : "[unknown]");
		} else if (frame_is_wrapper(frame) && name->line_count) {
			add_named_location(builder, name->lines[name->line_count - 1].function);
		} else {
			add_address_location(builder, i);
		}
	}
}

/* --- mappings ------------------------------------------------------------------------------------------------------- */

static void add_mappings(struct builder *builder)
{
	const struct module_list *list = &builder->frames.modules;
	for (uint32_t i = 0; i < list->count; i++) {
		uint32_t file = intern(builder, list->modules[i].path), id = intern(builder, list->modules[i].build_id);
		struct mapping *mapping = profile_add_mapping(&builder->profile);
		mapping->id = i + 1;
		mapping->start = list->modules[i].start;
		mapping->limit = list->modules[i].limit;
		mapping->offset = list->modules[i].offset;
		mapping->file = file;
		mapping->build_id = id;
	}
}

/* A reader leaves a mapping alone that has any of these. Names from symbol tables alone are therefore not announced: where the
 * reader has the binary's debug information, it can do better; where not, it shows them all the same. */
static void set_coverage(struct builder *builder)
{
	for (uint32_t i = 0; i < builder->profile.mapping_count; i++) {
		struct mapping *mapping = &builder->profile.mappings[i];
		const struct coverage *covered = &builder->coverage[i];
		bool no_better = covered->with_line > 0 || builder->frames.modules.modules[i].path[0] == '[';
		mapping->has_functions = covered->locations > 0 && covered->named == covered->locations && no_better;
		mapping->has_filenames = mapping->has_functions && covered->with_file == covered->locations;
		mapping->has_line_numbers = mapping->has_functions && covered->with_line == covered->locations;
		mapping->has_inline_frames = mapping->has_line_numbers;
	}
}

/* --- samples -------------------------------------------------------------------------------------------------------- */

static void add_label(struct builder *builder, const struct table_label *from, uint32_t at)
{
	uint32_t key = intern(builder, from->key), text = intern(builder, from->text ? from->text : from->unit);
	builder->profile.labels[at] =
			(struct label){ .key = key, .text_ix = text, .number = from->text ? 0 : from->number };
}

static void add_labels(struct builder *builder, const struct table_row *row, uint32_t sample_ix)
{
	uint32_t start = profile_add_labels(&builder->profile, row->label_count), at = start, texts = 0;
	for (int numbers = 0; numbers < 2; numbers++) {
		for (uint32_t i = 0; i < row->label_count; i++) {
			if ((row->labels[i].text == NULL) == (numbers == 1))
				add_label(builder, &row->labels[i], at++);
		}
		if (!numbers)
			texts = at - start;
	}
	struct sample *sample = &builder->profile.samples[sample_ix];
	sample->label_start = start;
	sample->text_count = texts;
	sample->number_count = at - start - texts;
}

static void add_sample(struct builder *builder, const struct table_row *row, const uint32_t *stack, uint32_t depth)
{
	uint32_t sample_ix = profile_add_sample(&builder->profile);
	uint32_t start = profile_add_stack(&builder->profile, depth);
	memcpy(builder->profile.sample_locations + start, stack, depth * sizeof(*stack));
	builder->profile.samples[sample_ix].location_start = start;
	builder->profile.samples[sample_ix].location_count = depth;
	memcpy(profile_values(&builder->profile, sample_ix), row->values, builder->table->value_count * sizeof(int64_t));
	add_labels(builder, row, sample_ix);
}

static uint32_t deepest(const struct table *table)
{
	uint32_t depth = 0;
	for (uint32_t i = 0; i < table->row_count; i++)
		depth = table->rows[i].frame_count > depth ? table->rows[i].frame_count : depth;
	return depth;
}

static void add_samples(struct builder *builder)
{
	uint32_t depth = deepest(builder->table);
	uintptr_t *visible = work_alloc_array(depth, sizeof(*visible));
	uint32_t *stack = work_alloc_array(depth, sizeof(*stack));
	for (uint32_t i = 0; i < builder->table->row_count; i++) {
		const struct table_row *row = &builder->table->rows[i];
		uint32_t count = frames_visible(row->frames, row->frame_count, visible);
		for (uint32_t k = 0; k < count; k++)
			stack[k] = frame_set_add(&builder->frames, visible[k]);
		add_sample(builder, row, stack, count);
	}
}

/* --- the profile ---------------------------------------------------------------------------------------------------- */

static void add_header(struct builder *builder)
{
	const struct table *table = builder->table;
	struct profile *profile = &builder->profile;
	profile_set_sample_types(profile, table->value_count);
	for (uint32_t i = 0; i < table->value_count; i++) {
		uint32_t type = intern(builder, table->value_types[i]), unit = intern(builder, table->value_units[i]);
		profile->sample_types[i] = (struct value_type){ type, unit };
	}
	profile->period_type.type = intern(builder, table->period_type);
	profile->period_type.unit = intern(builder, table->period_unit);
	profile->period = table->period;
	profile->time_ns = table->time_ns;
	profile->duration_ns = table->duration_ns;
	profile->default_sample_type = intern(builder, table->default_type);
	profile->drop_frames = intern(builder, table->drop_frames);
}

static void add_comments(struct builder *builder)
{
	for (uint32_t i = 0; i < builder->table->comment_count; i++)
		profile_add_comment(&builder->profile, str_of(text_valid(builder->table->comments[i])));
	const char *why = settings.names_off ? NULL : names_why_no_lines();
	if (why) {
		struct buffer text;
		buffer_init(&text, 1024);
		buffer_printf(&text, "no lines: %s", why);
		profile_add_comment(&builder->profile, str_of(text_valid(buffer_text(&text))));
	}
}

bool render_profile(const struct table *table, struct buffer *to)
{
	struct builder *builder = work_alloc(sizeof(*builder));
	struct table merged = *table;
	table_settle_unloaded(&merged);
	table_merge_rows(&merged);
	builder->table = &merged;
	profile_init(&builder->profile);
	frame_set_init(&builder->frames);
	add_header(builder);
	add_samples(builder);
	frame_set_name(&builder->frames);
	builder->coverage = work_alloc_array(builder->frames.modules.count, sizeof(*builder->coverage));
	add_mappings(builder);
	add_locations(builder);
	set_coverage(builder);
	add_comments(builder);
	struct buffer bytes;
	buffer_init(&bytes, PROFILE_MAX);
	profile_encode(&builder->profile, &bytes);
	return !bytes.overflow && gzip_deflate(buffer_str(&bytes), to, NULL) == STATUS_OK;
}
