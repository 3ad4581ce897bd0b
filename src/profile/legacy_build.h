/* legacy_build.h - a legacy profile in the making, the recognisers, and their last steps. Internal to legacy*.c.
 *
 * A recogniser returns STATUS_OK with the profile made, LEGACY_PASS (no error is set) when the bytes are of another format,
 * or any other status with the error set: then no other format is tried.
 */
#ifndef CPPROF_PROFILE_LEGACY_BUILD_H
#define CPPROF_PROFILE_LEGACY_BUILD_H

#include "base/id_map.h"
#include "profile/legacy_text.h"
#include "profile/profile.h"

#define LEGACY_PASS STATUS_NOT_FOUND

struct legacy {
	struct profile profile;
	struct id_map by_address;     /* address to location */
	const char *more_drop_frames; /* in addition to those that follow from the sample types, or NULL */
	struct error *err;            /* never NULL */
};

void legacy_init(struct legacy *legacy, struct error *err);
void legacy_release(struct legacy *legacy);

/* Sets the sample types; names and units alternate in `words`. */
void legacy_set_types(struct legacy *legacy, uint32_t count, const char *const *words);
void legacy_set_period(struct legacy *legacy, const char *type, const char *unit, int64_t period);

/* The location at the address, or PROFILE_NONE. */
uint32_t legacy_find_location(const struct legacy *legacy, uint64_t address);
/* Appends the address to the stack that is being collected at the end of sample_locations, as a new location if need be. */
void legacy_push(struct legacy *legacy, uint64_t address);
/* What is taken from addresses: they point behind the call, and one less points into it. */
enum adjustment {
	ADJUST_NONE,
	ADJUST_CALLERS, /* all but the first of the stack, which is no return address */
	ADJUST_ALL,
};
/* Pushes each hexadecimal number (0x...) in `text`. `start` is where the stack began in sample_locations. A number of more
 * than 64 bits is an error that quotes the whole `line`. */
enum status legacy_push_numbers(struct legacy *legacy, struct str text, struct str line, uint32_t start,
                                enum adjustment adjustment) CPPROF_MUST_USE;
/* Adds a sample whose stack is everything pushed from `start` on; returns its values. */
int64_t *legacy_add_sample(struct legacy *legacy, uint32_t start);
/* Gives the newest sample the number label "bytes", without a unit. */
void legacy_label_bytes(struct legacy *legacy, int64_t block_size);

/* Takes a caller out that is the leaf once more, less one: handlers find the leaf both by unwinding and in the context. */
void legacy_drop_repeated_leaves(struct legacy *legacy);
/* Orders locations, then functions, by first use, without those not used, and numbers them. */
void legacy_renumber(struct legacy *legacy);

/* legacy_mappings.c: joins entries that were split, puts the main binary first. */
void legacy_massage_mappings(struct legacy *legacy);
/* legacy_mappings.c: gives each location with an address its mapping, if need be one that covers everything. */
void legacy_assign_mappings(struct legacy *legacy);
/* legacy_maps.c: reads a memory map to the end of the text and does all of the above but leaves. */
enum status legacy_read_map(struct legacy *legacy, struct line_scanner *lines) CPPROF_MUST_USE;
/* legacy_maps.c: skips to the memory map, if any (the current line may announce it), and reads it. */
enum status legacy_read_rest(struct legacy *legacy, struct line_scanner *lines) CPPROF_MUST_USE;
/* legacy_maps.c: whether the line announces a memory map. */
bool legacy_announces_map(struct str line);

/* The failure of the scanner, or STATUS_OK. */
enum status legacy_scan_failure(struct legacy *legacy, const struct line_scanner *lines);
/* "malformed sample: LINE: ..." for a number that does not fit. */
enum status legacy_bad_number(struct legacy *legacy, const char *prefix, struct str line, enum number_result result,
                              struct str number);

/* legacy_heap.c: the estimate of what one sampled heap row stands for. Sampling is a Poisson process that takes a block of
 * `size / count` bytes with probability 1 - exp(-block / rate). Rates up to 1 mean that everything was counted. */
void legacy_unsample(int64_t *count, int64_t *size, int64_t rate);
/* legacy_heap.c: "objects space", or the same for allocations before it. */
void legacy_set_heap_types(struct legacy *legacy, bool has_alloc);

/* The recognisers, in the order in which they are asked. */
enum status legacy_parse_cpu(struct legacy *legacy, struct str bytes);
enum status legacy_parse_heap(struct legacy *legacy, struct str bytes);
enum status legacy_parse_count(struct legacy *legacy, struct str bytes);
enum status legacy_parse_threads(struct legacy *legacy, struct str bytes);
enum status legacy_parse_contention(struct legacy *legacy, struct str bytes);
enum status legacy_parse_java(struct legacy *legacy, struct str bytes);
enum status legacy_parse_jemalloc(struct legacy *legacy, struct str bytes);

/* legacy_java.c: the names of the locations, which end both Java's texts and its CPU profiles. */
enum status legacy_parse_java_names(struct legacy *legacy, struct str text);

#endif
