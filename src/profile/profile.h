/* profile.h - the one model of a profile: what profile.proto says, as arrays and indices.
 *
 * Things refer to each other by array index (`_ix`), never by pointer; wire ids (`id`) are kept because reports
 * print them. Strings are indices into `strings` (base/strtab.h): equal index, equal text; their bytes live in the
 * arena. The arrays may be edited in place by the functions of this layer (filter, prune, aggregate); a stack is a
 * run of `sample_locations`, a location's frames a run of `lines`, and a run may shrink but not grow in place.
 *
 * Formats: https://github.com/google/pprof, proto/profile.proto. Not here: names for addresses (src/symbolize/), graphs
 * (src/graph/), text (src/report/).
 */
#ifndef CPPROF_PROFILE_PROFILE_H
#define CPPROF_PROFILE_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/status.h"
#include "base/str.h"
#include "base/strtab.h"

#define PROFILE_NONE UINT32_MAX /* an index that refers to nothing */

struct value_type {
	uint32_t type; /* string */
	uint32_t unit; /* string */
};

/* One label. Text labels have a `text`; number labels a `number` and a unit (0 = none). */
struct label {
	uint32_t key;     /* string */
	uint32_t text_ix; /* text label: the value; number label: the unit */
	int64_t number;
};

/* One sample: a stack, leaf first, and labels. Its values are profile->values[sample_ix * sample_type_count]... */
struct sample {
	uint32_t location_start; /* into sample_locations */
	uint32_t location_count;
	uint32_t label_start;  /* into labels: text labels first, then number labels, each in the order of the file */
	uint32_t text_count;   /* text labels */
	uint32_t number_count; /* number labels */
};

/* One frame of a location. */
struct line {
	uint32_t function_ix; /* PROFILE_NONE only in a profile that is not valid */
	int64_t line;
	int64_t column;
};

/* One address (or one call site, when there is no address). */
struct location {
	uint64_t id;
	uint64_t address;
	uint32_t mapping_ix; /* or PROFILE_NONE */
	uint32_t line_start; /* into lines: innermost inlined call first, physical function last */
	uint32_t line_count;
	bool is_folded;
};

struct function {
	uint64_t id;
	int64_t start_line;
	uint32_t name;        /* string, for people */
	uint32_t system_name; /* string, for the linker */
	uint32_t filename;    /* string */
};

struct mapping {
	uint64_t id;
	uint64_t start;
	uint64_t limit; /* first address behind it */
	uint64_t offset;
	uint32_t file;     /* string */
	uint32_t build_id; /* string, lower-case hex */
	/* What stands behind "[kernel.kallsyms]" in the file name, a symbol to relocate by; a string, 0 = none. */
	uint32_t kernel_relocation_symbol;
	bool has_functions;
	bool has_filenames;
	bool has_line_numbers;
	bool has_inline_frames;
};

/* The arrays are malloc'ed, so that they can grow without copies (large blocks are remapped by realloc). */
struct profile {
	struct arena arena; /* bytes of strings */
	struct strtab strings;

	struct value_type *sample_types;
	uint32_t sample_type_count;

	struct sample *samples;
	int64_t *values; /* sample_count rows of sample_type_count */
	uint32_t sample_count, sample_capacity;
	uint32_t *sample_locations; /* location indices */
	uint32_t sample_location_count, sample_location_capacity;
	struct label *labels;
	uint32_t label_count, label_capacity;

	struct location *locations;
	uint32_t location_count, location_capacity;
	struct line *lines;
	uint32_t line_count, line_capacity;
	struct function *functions;
	uint32_t function_count, function_capacity;
	struct mapping *mappings; /* the first is the main binary */
	uint32_t mapping_count, mapping_capacity;

	uint32_t *comments; /* strings */
	uint32_t comment_count;
	uint32_t drop_frames;         /* string: regular expression */
	uint32_t keep_frames;         /* string: regular expression */
	uint32_t default_sample_type; /* string: name of a sample type */
	uint32_t doc_url;             /* string */
	int64_t time_ns;              /* since 1970, UTC; 0 = unknown */
	int64_t duration_ns;
	struct value_type period_type;
	int64_t period;
};

/* An empty profile: no sample types, one (empty) string. */
void profile_init(struct profile *profile);
void profile_release(struct profile *profile);
/* A copy that may be edited on its own. String bytes are shared: `from` must outlive the copy. */
void profile_copy(struct profile *profile, const struct profile *from);

/* The index of a string, added if new; its bytes are copied. */
uint32_t profile_intern(struct profile *profile, struct str text);
uint32_t profile_intern_text(struct profile *profile, const char *text);

static inline struct str profile_str(const struct profile *profile, uint32_t string_ix)
{
	return profile->strings.strings[string_ix];
}

static inline int64_t *profile_values(const struct profile *profile, uint32_t sample_ix)
{
	return profile->values + (size_t)sample_ix * profile->sample_type_count;
}

static inline uint32_t *profile_stack(const struct profile *profile, const struct sample *sample)
{
	return profile->sample_locations + sample->location_start;
}

static inline struct line *profile_lines(const struct profile *profile, const struct location *location)
{
	return profile->lines + location->line_start;
}

/* Room for so many entities in all, so that appending them moves nothing. */
void profile_reserve_tables(struct profile *profile, uint32_t mappings, uint32_t locations, uint32_t functions);
/* The same for samples (after their types are set) and stacks; more than 32-bit indices can name is not reserved. */
void profile_reserve_samples(struct profile *profile, size_t samples, size_t stack_entries);
/* Appends one zeroed element and returns it. Earlier pointers into the array become invalid. */
struct location *profile_add_location(struct profile *profile);
struct function *profile_add_function(struct profile *profile);
struct mapping *profile_add_mapping(struct profile *profile);
/* Appends `count` zeroed lines/stack entries/labels; returns the index of the first. */
uint32_t profile_add_lines(struct profile *profile, uint32_t count);
uint32_t profile_add_stack(struct profile *profile, uint32_t count);
uint32_t profile_add_labels(struct profile *profile, uint32_t count);
/* Appends one sample with no stack, no labels and all values zero; returns its index. The sample types must be set. */
uint32_t profile_add_sample(struct profile *profile);
/* Replaces the sample types (before any sample is added); the values are zeroed. */
void profile_set_sample_types(struct profile *profile, uint32_t count);
void profile_add_comment(struct profile *profile, struct str text);

#endif
