/* merge.c - several profiles into one.
 *
 * Every entity of a source is mapped once to its equal in the result, found by hash; what is new gets the next id. Samples
 * are compared by their mapped stacks and labels. The keys (what makes two of a kind equal) are the reference's:
 * mapping by rounded size, offset and build id (else file); location by mapping, address inside it, lines and is_folded;
 * function by names, file and start line; sample by stack and labels.
 */
#include "profile/merge.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/number.h"
#include "base/xalloc.h"
#include "profile/edit.h"
#include "profile/labels.h"

/* --- a hash index over one array of the result --------------------------------------------------------------------- */

struct index_slot {
	uint32_t entity_plus_1; /* 0 = empty */
	uint32_t hash;          /* compared before the entity is */
};

struct index {
	struct index_slot *slots;
	uint32_t mask;
	uint32_t count;
};

static void index_alloc(struct index *index, uint32_t size)
{
	index->slots = xcalloc(size, sizeof(*index->slots));
	index->mask = size - 1;
}

static void index_init(struct index *index, uint32_t expected)
{
	uint32_t size = 64;
	while (size / 2 <= expected && size < 1u << 31)
		size *= 2;
	*index = (struct index){ 0 };
	index_alloc(index, size);
}

static void index_release(struct index *index)
{
	free(index->slots);
}

/* A table is larger than the caches: this asks for the slot some work before it is looked at. */
static inline void index_prefetch(const struct index *index, uint32_t hash)
{
	__builtin_prefetch(&index->slots[hash & index->mask]);
}

typedef bool (*index_equal)(const struct profile *result, uint32_t entity_ix, uint32_t candidate_ix);

/* The entity that `equal` finds equal to the candidate among those with its hash, or PROFILE_NONE; then *ret_slot is where
 * the candidate belongs. */
static inline uint32_t index_find(const struct index *index, uint32_t hash, index_equal equal,
                                  const struct profile *result, uint32_t candidate_ix, uint32_t *ret_slot)
{
	uint32_t at = hash & index->mask;
	for (; index->slots[at].entity_plus_1; at = (at + 1) & index->mask) {
		const struct index_slot *slot = &index->slots[at];
		if (slot->hash == hash && equal(result, slot->entity_plus_1 - 1, candidate_ix))
			return slot->entity_plus_1 - 1;
	}
	*ret_slot = at;
	return PROFILE_NONE;
}

static void index_grow(struct index *index)
{
	struct index old = *index;
	index_alloc(index, (old.mask + 1) * 2);
	for (uint32_t i = 0; i <= old.mask; i++) {
		if (!old.slots[i].entity_plus_1)
			continue;
		uint32_t at = old.slots[i].hash & index->mask;
		while (index->slots[at].entity_plus_1)
			at = (at + 1) & index->mask;
		index->slots[at] = old.slots[i];
	}
	index_release(&old);
}

static void index_put(struct index *index, uint32_t slot, uint32_t hash, uint32_t entity_ix)
{
	index->slots[slot] = (struct index_slot){ entity_ix + 1, hash };
	if (++index->count > index->mask / 2)
		index_grow(index);
}

/* --- the merger --------------------------------------------------------------------------------------------------- */

/* Samples are mapped in batches of so many, in steps: what one step looks up, the step before has asked for. */
#define BATCH 32

/* An entity at the end of the result's array, which goes again if it is not new. */
struct candidate {
	uint32_t source_ix;
	uint32_t hash;
};

struct merger {
	struct profile *result;
	struct index functions, locations, samples;

	/* Of the source at hand: its entity → the result's; PROFILE_NONE = not met yet. */
	const struct profile *source;
	uint32_t *string_map, *function_map, *location_map, *mapping_map;
	uint64_t *mapping_shift; /* added to addresses: merged start - source start */

	/* Of the batch at hand. */
	uint32_t batch[BATCH]; /* samples of the source */
	uint32_t batch_count;
	struct candidate *candidates; /* locations that were not met before */
	size_t candidate_count, candidate_capacity;
};

static uint32_t map_string(struct merger *merger, uint32_t string_ix)
{
	uint32_t *mapped = &merger->string_map[string_ix];
	if (*mapped == PROFILE_NONE)
		*mapped = profile_intern(merger->result, profile_str(merger->source, string_ix));
	return *mapped;
}

/* Functions. */

static uint32_t function_hash(const struct function *function)
{
	uint64_t key[3] = { (uint64_t)function->start_line, (uint64_t)function->name << 32 | function->system_name,
		                function->filename };
	return (uint32_t)XXH3_64bits(key, sizeof(key));
}

static bool function_equal(const struct profile *result, uint32_t function_ix, uint32_t candidate_ix)
{
	const struct function *a = &result->functions[function_ix], *b = &result->functions[candidate_ix];
	return a->name == b->name && a->system_name == b->system_name && a->filename == b->filename &&
	       a->start_line == b->start_line;
}

/* Entities are built at the end of the result's array, looked up from there, and dropped again if they are not new. */
static uint32_t map_function(struct merger *merger, uint32_t function_ix)
{
	if (function_ix == PROFILE_NONE || merger->function_map[function_ix] != PROFILE_NONE)
		return function_ix == PROFILE_NONE ? PROFILE_NONE : merger->function_map[function_ix];
	struct profile *result = merger->result;
	const struct function *source = &merger->source->functions[function_ix];
	struct function *function = profile_add_function(result);
	*function = (struct function){
		.id = result->function_count,
		.start_line = source->start_line,
		.name = map_string(merger, source->name),
		.system_name = map_string(merger, source->system_name),
		.filename = map_string(merger, source->filename),
	};
	uint32_t slot, added = result->function_count - 1;
	uint32_t hash = function_hash(function);
	uint32_t found = index_find(&merger->functions, hash, function_equal, result, added, &slot);
	if (found != PROFILE_NONE) {
		result->function_count--;
	} else {
		index_put(&merger->functions, slot, hash, added);
		found = added;
	}
	return merger->function_map[function_ix] = found;
}

/* Mappings: few, so they are compared one by one. */

static uint64_t rounded_size(const struct mapping *mapping)
{
	/* Up to the next page, so that minor differences between runs do not matter. Wraps as the reference's does. */
	uint64_t size = mapping->limit - mapping->start + 4095;
	return size - size % 4096;
}

static uint32_t mapping_name(const struct mapping *mapping)
{
	return mapping->build_id ? mapping->build_id : mapping->file;
}

static uint32_t map_mapping(struct merger *merger, uint32_t mapping_ix)
{
	if (mapping_ix == PROFILE_NONE || merger->mapping_map[mapping_ix] != PROFILE_NONE)
		return mapping_ix == PROFILE_NONE ? PROFILE_NONE : merger->mapping_map[mapping_ix];
	struct profile *result = merger->result;
	struct mapping mapping = merger->source->mappings[mapping_ix];
	mapping.file = map_string(merger, mapping.file);
	mapping.build_id = map_string(merger, mapping.build_id);
	mapping.kernel_relocation_symbol = map_string(merger, mapping.kernel_relocation_symbol);
	uint32_t found = 0;
	for (; found < result->mapping_count; found++) {
		const struct mapping *other = &result->mappings[found];
		if (rounded_size(other) == rounded_size(&mapping) && other->offset == mapping.offset &&
		    mapping_name(other) == mapping_name(&mapping))
			break;
	}
	if (found == result->mapping_count) {
		mapping.id = (uint64_t)found + 1;
		*profile_add_mapping(result) = mapping;
	}
	merger->mapping_shift[mapping_ix] = result->mappings[found].start - mapping.start;
	return merger->mapping_map[mapping_ix] = found;
}

/* Locations. */

static uint64_t address_in_mapping(const struct profile *profile, const struct location *location)
{
	uint64_t start = location->mapping_ix == PROFILE_NONE ? 0 : profile->mappings[location->mapping_ix].start;
	return location->address - start;
}

/* The column of the last line only: that is all that the reference's key holds. */
static int64_t key_column(const struct profile *profile, const struct location *location)
{
	return location->line_count ? profile_lines(profile, location)[location->line_count - 1].column : 0;
}

static inline uint64_t mixed(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
	return hash ^ hash >> 32;
}

static uint32_t location_hash(const struct profile *result, const struct location *location)
{
	uint64_t hash = mixed(location->mapping_ix, address_in_mapping(result, location));
	const struct line *lines = profile_lines(result, location);
	for (uint32_t i = 0; i < location->line_count; i++)
		hash = mixed(mixed(hash, lines[i].function_ix), (uint64_t)lines[i].line);
	return (uint32_t)hash;
}

static bool location_equal(const struct profile *result, uint32_t location_ix, uint32_t candidate_ix)
{
	const struct location *a = &result->locations[location_ix], *b = &result->locations[candidate_ix];
	if (a->mapping_ix != b->mapping_ix || a->line_count != b->line_count || a->is_folded != b->is_folded ||
	    address_in_mapping(result, a) != address_in_mapping(result, b) ||
	    key_column(result, a) != key_column(result, b))
		return false;
	const struct line *lines_a = profile_lines(result, a), *lines_b = profile_lines(result, b);
	for (uint32_t i = 0; i < a->line_count; i++) {
		if (lines_a[i].function_ix != lines_b[i].function_ix || lines_a[i].line != lines_b[i].line)
			return false;
	}
	return true;
}

static void add_mapped_location(struct merger *merger, const struct location *source)
{
	struct profile *result = merger->result;
	uint32_t mapping_ix = map_mapping(merger, source->mapping_ix);
	uint64_t shift = source->mapping_ix == PROFILE_NONE ? 0 : merger->mapping_shift[source->mapping_ix];
	uint32_t line_start = profile_add_lines(result, source->line_count);
	const struct line *lines = profile_lines(merger->source, source);
	for (uint32_t i = 0; i < source->line_count; i++) {
		uint32_t function_ix = map_function(merger, lines[i].function_ix);
		result->lines[line_start + i] = (struct line){ function_ix, lines[i].line, lines[i].column };
	}
	struct location *location = profile_add_location(result);
	*location = (struct location){
		.id = result->location_count,
		.address = source->address + shift,
		.mapping_ix = mapping_ix,
		.line_start = line_start,
		.line_count = source->line_count,
		.is_folded = source->is_folded,
	};
}

/* Keeps the candidate that stands at `added` if it is new, as the next location. */
static uint32_t settle_location(struct merger *merger, uint32_t added, uint32_t hash)
{
	struct profile *result = merger->result;
	uint32_t slot, found = index_find(&merger->locations, hash, location_equal, result, added, &slot);
	if (found != PROFILE_NONE)
		return found;
	uint32_t settled = result->location_count++;
	struct location *location = &result->locations[settled];
	if (added != settled) {
		*location = result->locations[added];
		if (location->line_count)
			memmove(result->lines + result->line_count, profile_lines(result, location),
			        location->line_count * sizeof(*result->lines));
		location->line_start = result->line_count;
		location->id = (uint64_t)settled + 1;
	}
	result->line_count += location->line_count;
	index_put(&merger->locations, slot, hash, settled);
	return settled;
}

/* The locations of the batch that were not met before, in the order of their first use. */
static void collect_new_locations(struct merger *merger)
{
	merger->candidate_count = 0;
	for (uint32_t i = 0; i < merger->batch_count; i++) {
		const struct sample *sample = &merger->source->samples[merger->batch[i]];
		const uint32_t *stack = profile_stack(merger->source, sample);
		for (uint32_t k = 0; k < sample->location_count; k++) {
			if (merger->location_map[stack[k]] != PROFILE_NONE)
				continue;
			merger->location_map[stack[k]] = 0; /* until it is settled */
			__builtin_prefetch(&merger->source->locations[stack[k]]);
			merger->candidates = xgrow(merger->candidates, merger->candidate_count, &merger->candidate_capacity,
			                           sizeof(*merger->candidates));
			merger->candidates[merger->candidate_count++].source_ix = stack[k];
		}
	}
}

static void map_new_locations(struct merger *merger)
{
	struct profile *result = merger->result;
	collect_new_locations(merger);
	struct candidate *candidates = merger->candidates;
	uint32_t first = result->location_count, first_line = result->line_count;
	for (size_t i = 0; i < merger->candidate_count; i++)
		__builtin_prefetch(profile_lines(merger->source, &merger->source->locations[candidates[i].source_ix]));
	for (size_t i = 0; i < merger->candidate_count; i++) {
		add_mapped_location(merger, &merger->source->locations[candidates[i].source_ix]);
		candidates[i].hash = location_hash(result, &result->locations[result->location_count - 1]);
		index_prefetch(&merger->locations, candidates[i].hash);
	}
	result->location_count = first;
	result->line_count = first_line;
	for (size_t i = 0; i < merger->candidate_count; i++)
		merger->location_map[candidates[i].source_ix] =
				settle_location(merger, first + (uint32_t)i, candidates[i].hash);
}

/* Samples. */

static uint32_t sample_hash(const struct profile *result, const struct sample *sample)
{
	uint64_t hash = XXH3_64bits(profile_stack(result, sample), sample->location_count * sizeof(uint32_t));
	uint32_t label_count = sample->text_count + sample->number_count;
	if (label_count)
		hash = XXH3_64bits_withSeed(result->labels + sample->label_start, label_count * sizeof(struct label), hash);
	return (uint32_t)hash;
}

static bool sample_equal(const struct profile *result, uint32_t sample_ix, uint32_t candidate_ix)
{
	const struct sample *a = &result->samples[sample_ix], *b = &result->samples[candidate_ix];
	if (a->location_count != b->location_count || a->text_count != b->text_count || a->number_count != b->number_count)
		return false;
	uint32_t label_count = a->text_count + a->number_count;
	bool same_stack = a->location_count == 0 || memcmp(profile_stack(result, a), profile_stack(result, b),
	                                                   a->location_count * sizeof(uint32_t)) == 0;
	return same_stack && (label_count == 0 || memcmp(result->labels + a->label_start, result->labels + b->label_start,
	                                                 label_count * sizeof(struct label)) == 0);
}

/* Copies the labels in the order that makes equal sets equal bytes. struct label has no padding. */
_Static_assert(sizeof(struct label) == 16, "labels are hashed and compared as bytes");

static void map_labels(struct merger *merger, const struct sample *source, struct sample *sample)
{
	struct profile *result = merger->result;
	uint32_t count = source->text_count + source->number_count;
	sample->label_start = profile_add_labels(result, count);
	sample->text_count = source->text_count;
	sample->number_count = source->number_count;
	if (count == 0)
		return;
	const struct label *labels = merger->source->labels + source->label_start;
	struct label *mapped = result->labels + sample->label_start;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t key = map_string(merger, labels[i].key), text_ix = map_string(merger, labels[i].text_ix);
		mapped[i] = (struct label){ key, text_ix, labels[i].number };
	}
	labels_sort(result, mapped, source->text_count);
	labels_sort(result, mapped + source->text_count, source->number_count);
}

static bool all_zero(const int64_t *values, uint32_t count)
{
	int64_t any = 0;
	for (uint32_t i = 0; i < count; i++)
		any |= values[i];
	return any == 0;
}

/* Appends the sample with its stack and labels. Its locations are mapped already. */
static void add_mapped_sample(struct merger *merger, const struct sample *source)
{
	struct profile *result = merger->result;
	const uint32_t *stack = profile_stack(merger->source, source);
	struct sample *sample = &result->samples[profile_add_sample(result)];
	sample->location_start = profile_add_stack(result, source->location_count);
	sample->location_count = source->location_count;
	uint32_t *mapped = profile_stack(result, sample);
	for (uint32_t i = 0; i < source->location_count; i++)
		mapped[i] = merger->location_map[stack[i]];
	map_labels(merger, source, sample);
}

/* Keeps the candidate that stands at `added` if it is new, as the next sample. Its values are zero either way: nothing
 * was added to that row yet. */
static uint32_t settle_sample(struct merger *merger, uint32_t added, uint32_t hash)
{
	struct profile *result = merger->result;
	uint32_t slot, found = index_find(&merger->samples, hash, sample_equal, result, added, &slot);
	if (found != PROFILE_NONE)
		return found;
	uint32_t settled = result->sample_count++;
	struct sample *sample = &result->samples[settled];
	uint32_t label_count = result->samples[added].text_count + result->samples[added].number_count;
	if (added != settled) {
		*sample = result->samples[added];
		if (sample->location_count)
			memmove(result->sample_locations + result->sample_location_count, profile_stack(result, sample),
			        sample->location_count * sizeof(*result->sample_locations));
		if (label_count)
			memmove(result->labels + result->label_count, result->labels + sample->label_start,
			        label_count * sizeof(*result->labels));
		sample->location_start = result->sample_location_count;
		sample->label_start = result->label_count;
	}
	result->sample_location_count += sample->location_count;
	result->label_count += label_count;
	index_put(&merger->samples, slot, hash, settled);
	return settled;
}

static void map_batch(struct merger *merger)
{
	struct profile *result = merger->result;
	map_new_locations(merger);
	uint32_t hashes[BATCH];
	uint32_t first = result->sample_count, first_entry = result->sample_location_count,
			 first_label = result->label_count, count = merger->batch_count;
	for (uint32_t i = 0; i < count; i++) {
		add_mapped_sample(merger, &merger->source->samples[merger->batch[i]]);
		hashes[i] = sample_hash(result, &result->samples[first + i]);
		index_prefetch(&merger->samples, hashes[i]);
	}
	result->sample_count = first;
	result->sample_location_count = first_entry;
	result->label_count = first_label;
	for (uint32_t i = 0; i < count; i++) {
		const int64_t *values = profile_values(merger->source, merger->batch[i]);
		int64_t *sum = profile_values(result, settle_sample(merger, first + i, hashes[i]));
		for (uint32_t k = 0; k < result->sample_type_count; k++)
			sum[k] = int64_add(sum[k], values[k]);
	}
	merger->batch_count = 0;
}

/* --- whole profiles ----------------------------------------------------------------------------------------------- */

static bool same_type(const struct profile *a, struct value_type type_a, const struct profile *b,
                      struct value_type type_b)
{
	return str_equal(profile_str(a, type_a.type), profile_str(b, type_b.type)) &&
	       str_equal(profile_str(a, type_a.unit), profile_str(b, type_b.unit));
}

static void append_type(struct buffer *text, const struct profile *profile, struct value_type type)
{
	struct str name = profile_str(profile, type.type), unit = profile_str(profile, type.unit);
	buffer_printf(text, "%.*s/%.*s", STR_ARG(name), STR_ARG(unit));
}

static void append_sample_types(struct buffer *text, const struct profile *profile)
{
	for (uint32_t k = 0; k < profile->sample_type_count; k++) {
		buffer_append_text(text, k ? " " : "[");
		append_type(text, profile, profile->sample_types[k]);
	}
	buffer_append_text(text, profile->sample_type_count ? "]" : "[]");
}

static enum status types_differ(const struct profile *a, const struct profile *b, bool period, struct error *err)
{
	struct buffer text;
	buffer_init(&text, BUFFER_UNLIMITED);
	buffer_printf(&text, "incompatible %s types ", period ? "period" : "sample");
	if (period) {
		append_type(&text, a, a->period_type);
		buffer_append_text(&text, " and ");
		append_type(&text, b, b->period_type);
	} else {
		append_sample_types(&text, a);
		buffer_append_text(&text, " and ");
		append_sample_types(&text, b);
	}
	enum status status = error_set(err, STATUS_INVALID, "%s", buffer_text(&text));
	buffer_release(&text);
	return status;
}

enum status profile_check_mergeable(struct profile *const profiles[], size_t count, struct error *err)
{
	const struct profile *first = profiles[0];
	for (size_t i = 1; i < count; i++) {
		const struct profile *other = profiles[i];
		if (!same_type(first, first->period_type, other, other->period_type))
			return types_differ(first, other, true, err);
		bool same = first->sample_type_count == other->sample_type_count;
		for (uint32_t k = 0; same && k < first->sample_type_count; k++)
			same = same_type(first, first->sample_types[k], other, other->sample_types[k]);
		if (!same)
			return types_differ(first, other, false, err);
	}
	return STATUS_OK;
}

static bool has_comment(const struct profile *profile, uint32_t string_ix)
{
	for (uint32_t i = 0; i < profile->comment_count; i++) {
		if (profile->comments[i] == string_ix)
			return true;
	}
	return false;
}

static struct value_type copy_type(struct profile *to, const struct profile *from, struct value_type type)
{
	return (struct value_type){ profile_intern(to, profile_str(from, type.type)),
		                        profile_intern(to, profile_str(from, type.unit)) };
}

static void combine_headers(struct profile *result, struct profile *const profiles[], size_t count)
{
	const struct profile *first = profiles[0];
	profile_set_sample_types(result, first->sample_type_count);
	for (uint32_t k = 0; k < first->sample_type_count; k++)
		result->sample_types[k] = copy_type(result, first, first->sample_types[k]);
	result->period_type = copy_type(result, first, first->period_type);
	result->drop_frames = profile_intern(result, profile_str(first, first->drop_frames));
	result->keep_frames = profile_intern(result, profile_str(first, first->keep_frames));
	for (size_t i = 0; i < count; i++) {
		const struct profile *profile = profiles[i];
		/* A zero (unknown) time replaces an earlier one, being smaller: the reference's rule. */
		if (result->time_ns == 0 || profile->time_ns < result->time_ns)
			result->time_ns = profile->time_ns;
		result->duration_ns = int64_add(result->duration_ns, profile->duration_ns);
		if (result->period == 0 || result->period < profile->period)
			result->period = profile->period;
		for (uint32_t c = 0; c < profile->comment_count; c++) {
			struct str text = profile_str(profile, profile->comments[c]);
			if (!has_comment(result, profile_intern(result, text)))
				profile_add_comment(result, text);
		}
		if (!result->default_sample_type)
			result->default_sample_type = profile_intern(result, profile_str(profile, profile->default_sample_type));
		if (!result->doc_url)
			result->doc_url = profile_intern(result, profile_str(profile, profile->doc_url));
	}
}

static uint32_t *new_map(uint32_t count)
{
	uint32_t *map = xreallocarray(NULL, count, sizeof(*map));
	memset(map, 0xFF, count * sizeof(*map));
	return map;
}

static void merge_source(struct merger *merger, const struct profile *source)
{
	merger->source = source;
	merger->string_map = new_map(source->strings.count);
	merger->function_map = new_map(source->function_count);
	merger->location_map = new_map(source->location_count);
	merger->mapping_map = new_map(source->mapping_count);
	merger->mapping_shift = xcalloc(source->mapping_count, sizeof(uint64_t));
	/* The first mapping of a profile is the main binary and stays first, used or not. */
	if (merger->result->mapping_count == 0 && source->mapping_count > 0)
		map_mapping(merger, 0);
	for (uint32_t i = 0; i < source->sample_count; i++) {
		if (all_zero(profile_values(source, i), source->sample_type_count))
			continue;
		merger->batch[merger->batch_count++] = i;
		if (merger->batch_count == BATCH)
			map_batch(merger);
	}
	map_batch(merger);
	free(merger->string_map);
	free(merger->function_map);
	free(merger->location_map);
	free(merger->mapping_map);
	free(merger->mapping_shift);
}

static bool has_zero_sample(const struct profile *profile)
{
	for (uint32_t i = 0; i < profile->sample_count; i++) {
		if (all_zero(profile_values(profile, i), profile->sample_type_count))
			return true;
	}
	return false;
}

enum status profile_merge(struct profile *const profiles[], size_t count, struct profile *ret_profile,
                          struct error *err)
{
	enum status status = profile_check_mergeable(profiles, count, err);
	if (status != STATUS_OK)
		return status;
	struct profile result;
	profile_init(&result);
	combine_headers(&result, profiles, count);
	struct merger merger = { .result = &result };
	index_init(&merger.functions, profiles[0]->function_count);
	index_init(&merger.locations, profiles[0]->location_count);
	index_init(&merger.samples, profiles[0]->sample_count);
	profile_reserve_tables(&result, profiles[0]->mapping_count, profiles[0]->location_count,
	                       profiles[0]->function_count);
	size_t sample_total = 0, stack_total = 0;
	for (size_t i = 0; i < count; i++) {
		sample_total += profiles[i]->sample_count;
		stack_total += profiles[i]->sample_location_count;
	}
	profile_reserve_samples(&result, sample_total, stack_total);
	for (size_t i = 0; i < count; i++)
		merge_source(&merger, profiles[i]);
	free(merger.candidates);
	index_release(&merger.functions);
	index_release(&merger.locations);
	index_release(&merger.samples);
	if (has_zero_sample(&result)) {
		/* Samples that cancelled out go, and with them what only they used. */
		struct profile *const alone[] = { &result };
		status = profile_merge(alone, 1, ret_profile, err);
		profile_release(&result);
		return status;
	}
	*ret_profile = result;
	return STATUS_OK;
}
