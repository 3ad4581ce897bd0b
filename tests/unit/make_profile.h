/* make_profile.h - small profiles by hand, and what is left of one as text, for the unit tests.
 *
 * A stack is written as words, leaf first: "leaf caller main". A word is one location: NAME[:LINE][@HEX], or several such
 * joined by '+', innermost first, when calls were inlined. "?" is a location without lines ("?@HEX"). Equal words are one
 * location. Function NAME stands in NAME.c. Once a mapping exists, new locations belong to the last one.
 *
 * Not a reader of any format: tests/unit/test_codec.c makes its bytes with wire/protobuf.h.
 */
#ifndef CPPROF_TESTS_MAKE_PROFILE_H
#define CPPROF_TESTS_MAKE_PROFILE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "profile/matcher.h"
#include "profile/profile.h"

/* --- making --------------------------------------------------------------------------------------------------------- */

/* `types`: "samples/count cpu/nanoseconds". */
static inline void make_profile(struct profile *profile, const char *types)
{
	profile_init(profile);
	uint32_t count = 1;
	for (const char *c = types; *c; c++)
		count += *c == ' ';
	profile_set_sample_types(profile, count);
	for (uint32_t k = 0; k < count; k++) {
		const char *slash = strchr(types, '/'), *end = strchrnul(slash, ' ');
		uint32_t type = profile_intern(profile, (struct str){ types, (size_t)(slash - types) });
		uint32_t unit = profile_intern(profile, (struct str){ slash + 1, (size_t)(end - slash - 1) });
		profile->sample_types[k] = (struct value_type){ type, unit };
		types = end + 1;
	}
}

static inline uint32_t make_mapping(struct profile *profile, uint64_t start, uint64_t limit, const char *file,
                                    const char *build_id)
{
	uint32_t file_ix = profile_intern_text(profile, file), build_ix = profile_intern_text(profile, build_id);
	struct mapping *mapping = profile_add_mapping(profile);
	*mapping = (struct mapping){
		.id = profile->mapping_count, .start = start, .limit = limit, .file = file_ix, .build_id = build_ix
	};
	return profile->mapping_count - 1;
}

static inline uint32_t make_function(struct profile *profile, struct str name)
{
	uint32_t name_ix = profile_intern(profile, name);
	for (uint32_t i = 0; i < profile->function_count; i++) {
		if (profile->functions[i].name == name_ix)
			return i;
	}
	struct buffer file;
	buffer_init(&file, 4096);
	buffer_append_str(&file, name);
	buffer_append_text(&file, ".c");
	uint32_t file_ix = profile_intern(profile, buffer_str(&file));
	buffer_release(&file);
	struct function *function = profile_add_function(profile);
	*function = (struct function){
		.id = profile->function_count, .name = name_ix, .system_name = name_ix, .filename = file_ix
	};
	return profile->function_count - 1;
}

static inline void append_location_text(const struct profile *profile, uint32_t location_ix, struct buffer *to)
{
	const struct location *location = &profile->locations[location_ix];
	const struct line *lines = profile_lines(profile, location);
	if (location->line_count == 0)
		buffer_append_char(to, '?');
	for (uint32_t i = 0; i < location->line_count; i++) {
		buffer_append_text(to, i ? "+" : "");
		buffer_append_str(to, profile_str(profile, profile->functions[lines[i].function_ix].name));
		if (lines[i].line)
			buffer_printf(to, ":%lld", (long long)lines[i].line);
	}
	if (location->address)
		buffer_printf(to, "@%llx", (unsigned long long)location->address);
}

static inline uint32_t find_location(const struct profile *profile, struct str word)
{
	struct buffer text;
	buffer_init(&text, 4096);
	uint32_t found = PROFILE_NONE;
	for (uint32_t i = 0; i < profile->location_count && found == PROFILE_NONE; i++) {
		buffer_clear(&text);
		append_location_text(profile, i, &text);
		if (str_equal(buffer_str(&text), word))
			found = i;
	}
	buffer_release(&text);
	return found;
}

static inline uint32_t make_location(struct profile *profile, struct str word)
{
	uint32_t known = find_location(profile, word);
	if (known != PROFILE_NONE)
		return known;
	const char *at = word.data, *end = word.data + word.length;
	const char *address = memchr(at, '@', word.length);
	const char *frames_end = address ? address : end;
	uint32_t line_start = profile->line_count;
	while (at < frames_end && *at != '?') {
		const char *frame_end = memchr(at, '+', (size_t)(frames_end - at));
		if (!frame_end)
			frame_end = frames_end;
		const char *colon = memchr(at, ':', (size_t)(frame_end - at));
		uint32_t line_ix = profile_add_lines(profile, 1);
		size_t name_length = (size_t)((colon ? colon : frame_end) - at);
		uint32_t function_ix = make_function(profile, (struct str){ at, name_length });
		profile->lines[line_ix] = (struct line){ function_ix, colon ? atoll(colon + 1) : 0, 0 };
		at = frame_end + 1;
	}
	struct location *location = profile_add_location(profile);
	location->id = profile->location_count;
	location->address = address ? strtoull(address + 1, NULL, 16) : 0;
	location->mapping_ix = profile->mapping_count ? profile->mapping_count - 1 : PROFILE_NONE;
	location->line_start = line_start;
	location->line_count = profile->line_count - line_start;
	return profile->location_count - 1;
}

static inline void make_sample(struct profile *profile, const char *stack, const int64_t *values)
{
	uint32_t sample_ix = profile_add_sample(profile);
	profile->samples[sample_ix].location_start = profile->sample_location_count;
	profile->samples[sample_ix].label_start = profile->label_count;
	for (const char *at = stack; *at;) {
		const char *end = strchrnul(at, ' ');
		uint32_t location_ix = make_location(profile, (struct str){ at, (size_t)(end - at) });
		uint32_t at_ix = profile_add_stack(profile, 1); /* moves the array */
		profile->sample_locations[at_ix] = location_ix;
		profile->samples[sample_ix].location_count++;
		at = *end ? end + 1 : end;
	}
	if (profile->sample_type_count)
		memcpy(profile_values(profile, sample_ix), values, profile->sample_type_count * sizeof(*values));
}

/* SAMPLE(&profile, "leaf main", 1, 10): as many values as the profile has types. */
#define SAMPLE(profile, stack, ...) make_sample(profile, stack, (const int64_t[]){ __VA_ARGS__ })

/* Labels of the sample made last: its text labels first, then the numbers. */
static inline void make_text_label(struct profile *profile, const char *key, const char *value)
{
	struct label label = { profile_intern_text(profile, key), profile_intern_text(profile, value), 0 };
	uint32_t label_ix = profile_add_labels(profile, 1);
	profile->labels[label_ix] = label;
	profile->samples[profile->sample_count - 1].text_count++;
}

static inline void make_number_label(struct profile *profile, const char *key, int64_t number, const char *unit)
{
	struct label label = { profile_intern_text(profile, key), profile_intern_text(profile, unit), number };
	uint32_t label_ix = profile_add_labels(profile, 1);
	profile->labels[label_ix] = label;
	profile->samples[profile->sample_count - 1].number_count++;
}

/* --- what is there ---------------------------------------------------------------------------------------------------- */

/* One line a sample: "leaf main: 1 10 key=value number=5unit". */
static inline void append_samples_text(const struct profile *profile, struct buffer *to)
{
	for (uint32_t i = 0; i < profile->sample_count; i++) {
		const struct sample *sample = &profile->samples[i];
		for (uint32_t k = 0; k < sample->location_count; k++) {
			buffer_append_text(to, k ? " " : "");
			append_location_text(profile, profile_stack(profile, sample)[k], to);
		}
		buffer_append_char(to, ':');
		for (uint32_t k = 0; k < profile->sample_type_count; k++)
			buffer_printf(to, " %lld", (long long)profile_values(profile, i)[k]);
		const struct label *label = profile->labels + sample->label_start;
		for (uint32_t k = 0; k < sample->text_count + sample->number_count; k++, label++) {
			struct str key = profile_str(profile, label->key), text = profile_str(profile, label->text_ix);
			buffer_printf(to, " %.*s=", STR_ARG(key));
			if (k >= sample->text_count)
				buffer_printf(to, "%lld", (long long)label->number);
			buffer_append_str(to, text);
		}
		buffer_append_char(to, '\n');
	}
}

#define assert_samples(profile, expected) \
	do { \
		struct buffer samples_text; \
		buffer_init(&samples_text, 1 << 20); \
		append_samples_text(profile, &samples_text); \
		assert_string_equal(buffer_text(&samples_text), expected); \
		buffer_release(&samples_text); \
	} while (0)

/* A view compared with a C string. */
#define assert_str(view, expected) \
	do { \
		struct str seen_view = (view); \
		char seen_text[4096]; \
		assert_true(seen_view.length < sizeof(seen_text)); \
		memcpy(seen_text, seen_view.data, seen_view.length); \
		seen_text[seen_view.length] = '\0'; \
		assert_string_equal(seen_text, expected); \
	} while (0)

/* --- matchers without regular expressions ------------------------------------------------------------------------------ */

static inline bool contains_text(const void *expression, struct str text)
{
	return memmem(text.data, text.length, expression, strlen(expression)) != NULL;
}

static inline bool is_text(const void *expression, struct str text)
{
	return str_equal(text, str_of(expression));
}

static inline struct matcher containing(const char *text)
{
	return (struct matcher){ contains_text, text };
}

static inline struct matcher exactly(const char *text)
{
	return (struct matcher){ is_text, text };
}

#endif
