/* pbwalk.c - the bare limit: what reading a profile costs at the very least.
 *
 *     pbwalk inflate|walk|top FILE
 *
 *     inflate  reads the file and decompresses it
 *     walk     and visits every field of every message once
 *     top      and sums flat and cum by function name, sorts, prints the first ten
 *
 * It trusts the file and checks nothing, knows no edges, trimming, file names or units, and takes ids for array indices.
 * So it is not a tool and not a rival: a tool that does all this cannot be faster, and the distance says what it adds.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libdeflate.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHOWN 10

static void die(const char *what, const char *why)
{
	fprintf(stderr, "pbwalk: %s: %s\n", what, why);
	exit(1);
}

static void *array(size_t count, size_t size)
{
	void *memory = malloc(count * size + 1);
	if (!memory)
		die("memory", strerror(ENOMEM));
	return memory;
}

static void *zeroed(size_t count, size_t size)
{
	void *memory = calloc(count + 1, size);
	if (!memory)
		die("memory", strerror(ENOMEM));
	return memory;
}

/* --- the file ------------------------------------------------------------------------------------------------------ */

struct span {
	const uint8_t *at, *end;
};

/* A gzip file of one member below 4 GiB, which says its size in its last four bytes. */
static struct span inflate_file(const char *path)
{
	struct stat stat;
	int file = open(path, O_RDONLY);
	if (file < 0 || fstat(file, &stat) < 0)
		die(path, strerror(errno));
	size_t size = (size_t)stat.st_size;
	uint8_t *packed = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
	if (packed == MAP_FAILED || size < 18)
		die(path, "cannot be mapped, or is no gzip file");
	uint32_t unpacked_size;
	memcpy(&unpacked_size, packed + size - 4, 4);
	uint8_t *unpacked = array(unpacked_size, 1);
	struct libdeflate_decompressor *decompressor = libdeflate_alloc_decompressor();
	if (!decompressor)
		die("memory", strerror(ENOMEM));
	if (libdeflate_gzip_decompress(decompressor, packed, size, unpacked, unpacked_size, NULL))
		die(path, "is no gzip file");
	libdeflate_free_decompressor(decompressor);
	munmap(packed, size);
	close(file);
	return (struct span){ unpacked, unpacked + unpacked_size };
}

/* --- protobuf ------------------------------------------------------------------------------------------------------ */

static inline uint64_t read_varint(struct span *span)
{
	uint64_t value = *span->at++;
	if (value < 0x80)
		return value;
	value &= 0x7F;
	for (unsigned shift = 7;; shift += 7) {
		uint64_t byte = *span->at++;
		value |= (byte & 0x7F) << shift;
		if (byte < 0x80)
			return value;
	}
}

struct field {
	uint32_t number;
	bool is_bytes;
	uint64_t value; /* of bytes: their count */
	struct span bytes;
};

static inline bool next_field(struct span *span, struct field *field)
{
	if (span->at >= span->end)
		return false;
	uint64_t tag = read_varint(span);
	field->number = (uint32_t)(tag >> 3);
	field->is_bytes = (tag & 7) == 2;
	if ((tag & 7) != 0 && (tag & 7) != 2)
		die("profile", "a field that profiles do not have");
	field->value = read_varint(span);
	const uint8_t *start = span->at;
	if (field->is_bytes)
		span->at += field->value;
	field->bytes = (struct span){ start, span->at };
	return true;
}

/* Fields of the messages that are read here. */
enum {
	PROFILE_SAMPLE = 2,
	PROFILE_LOCATION = 4,
	PROFILE_FUNCTION = 5,
	PROFILE_STRING = 6,
	SAMPLE_LOCATION = 1,
	SAMPLE_VALUE = 2,
	LOCATION_ID = 1,
	LOCATION_LINE = 4,
	LINE_FUNCTION = 1,
	FUNCTION_ID = 1,
	FUNCTION_NAME = 2,
};

/* --- walk ---------------------------------------------------------------------------------------------------------- */

static uint64_t walk_numbers(struct span span)
{
	uint64_t sum = 0;
	while (span.at < span.end)
		sum += read_varint(&span);
	return sum;
}

static uint64_t walk_message(struct span span, uint32_t parent)
{
	uint64_t sum = 0;
	struct field field;
	while (next_field(&span, &field)) {
		if (!field.is_bytes)
			sum += field.value;
		else if (parent == PROFILE_SAMPLE && field.number <= SAMPLE_VALUE)
			sum += walk_numbers(field.bytes);
		else if (parent != 0 || field.number != PROFILE_STRING)
			sum += walk_message(field.bytes, parent ? UINT32_MAX : field.number);
	}
	return sum;
}

/* --- top ----------------------------------------------------------------------------------------------------------- */

struct sample {
	uint32_t first_location, location_count;
	uint64_t value;
};

struct location {
	uint32_t first_line, line_count;
};

struct name {
	const char *text;
	uint32_t length;
	uint64_t flat, cum;
	uint32_t last_sample; /* that counted it, so that recursion counts once */
};

struct profile {
	struct sample *samples;
	uint32_t *location_ids; /* of all stacks, one after the other */
	struct location *locations;
	uint32_t *line_functions;
	uint32_t *function_names; /* by function id: string index, later index into names */
	struct span *strings;
	struct name *names;
	uint32_t sample_count, string_count, name_count;
	uint32_t location_ids_used, lines_used;
	uint64_t last_function;
};

/* How much there is of everything, so that each array is allocated once. The ids are bounded by counting them too. */
static void profile_allocate(struct profile *profile, struct span span)
{
	size_t counts[16] = { 0 }, lines = 0, stack_bytes = 0;
	uint64_t last_location = 0, last_function = 0;
	struct field field, inner;
	while (next_field(&span, &field)) {
		if (!field.is_bytes || field.number >= 16)
			continue;
		counts[field.number]++;
		if (field.number == PROFILE_SAMPLE)
			stack_bytes += field.value;
		if (field.number != PROFILE_LOCATION && field.number != PROFILE_FUNCTION)
			continue;
		uint64_t *last = field.number == PROFILE_LOCATION ? &last_location : &last_function;
		while (next_field(&field.bytes, &inner)) {
			if (inner.number == LOCATION_ID && inner.value > *last)
				*last = inner.value;
			lines += inner.number == LOCATION_LINE;
		}
	}
	profile->samples = array(counts[PROFILE_SAMPLE], sizeof(struct sample));
	profile->location_ids = array(stack_bytes, sizeof(uint32_t));
	profile->locations = zeroed(last_location + 1, sizeof(struct location));
	profile->line_functions = array(lines, sizeof(uint32_t));
	profile->function_names = zeroed(last_function + 1, sizeof(uint32_t));
	profile->strings = array(counts[PROFILE_STRING], sizeof(struct span));
	profile->names = array(counts[PROFILE_FUNCTION], sizeof(struct name));
	profile->last_function = last_function;
}

/* The value is the last one, as the reference takes it. */
static void add_sample(struct profile *profile, struct span span)
{
	struct sample *sample = &profile->samples[profile->sample_count++];
	uint32_t used = profile->location_ids_used;
	sample->first_location = used;
	struct field field;
	while (next_field(&span, &field)) {
		if (field.number == SAMPLE_LOCATION && !field.is_bytes)
			profile->location_ids[used++] = (uint32_t)field.value;
		else if (field.number == SAMPLE_LOCATION)
			while (field.bytes.at < field.bytes.end)
				profile->location_ids[used++] = (uint32_t)read_varint(&field.bytes);
		else if (field.number == SAMPLE_VALUE && !field.is_bytes)
			sample->value = field.value;
		else if (field.number == SAMPLE_VALUE)
			while (field.bytes.at < field.bytes.end)
				sample->value = read_varint(&field.bytes);
	}
	sample->location_count = used - sample->first_location;
	profile->location_ids_used = used;
}

static void add_location(struct profile *profile, struct span span)
{
	uint64_t id = 0;
	uint32_t first = profile->lines_used;
	struct field field, inner;
	while (next_field(&span, &field)) {
		if (field.number == LOCATION_ID)
			id = field.value;
		if (field.number != LOCATION_LINE)
			continue;
		uint32_t function = 0;
		while (next_field(&field.bytes, &inner))
			if (inner.number == LINE_FUNCTION)
				function = (uint32_t)inner.value;
		profile->line_functions[profile->lines_used++] = function;
	}
	profile->locations[id] = (struct location){ first, profile->lines_used - first };
}

static void add_function(struct profile *profile, struct span span)
{
	uint64_t id = 0, name = 0;
	struct field field;
	while (next_field(&span, &field)) {
		if (field.number == FUNCTION_ID)
			id = field.value;
		else if (field.number == FUNCTION_NAME)
			name = field.value;
	}
	profile->function_names[id] = (uint32_t)name;
}

static void profile_decode(struct profile *profile, struct span span)
{
	struct field field;
	while (next_field(&span, &field)) {
		if (!field.is_bytes)
			continue;
		if (field.number == PROFILE_SAMPLE)
			add_sample(profile, field.bytes);
		else if (field.number == PROFILE_LOCATION)
			add_location(profile, field.bytes);
		else if (field.number == PROFILE_FUNCTION)
			add_function(profile, field.bytes);
		else if (field.number == PROFILE_STRING)
			profile->strings[profile->string_count++] = field.bytes;
	}
}

/* FNV-1a. */
static uint64_t text_hash(const char *text, uint32_t length)
{
	uint64_t hash = 14695981039346656037u;
	for (uint32_t i = 0; i < length; i++)
		hash = (hash ^ (uint8_t)text[i]) * 1099511628211u;
	return hash ^ hash >> 29;
}

/* Gives functions of one name one index, and turns function_names into those indices. */
static void profile_intern_names(struct profile *profile)
{
	uint64_t size = 1024;
	while (size < profile->last_function * 2)
		size *= 2;
	uint32_t *slots = zeroed(size, sizeof(uint32_t)); /* index + 1 */
	for (uint64_t id = 1; id <= profile->last_function; id++) {
		struct span string = profile->strings[profile->function_names[id]];
		const char *text = (const char *)string.at;
		uint32_t length = (uint32_t)(string.end - string.at);
		if (!length)
			continue;
		uint64_t slot = text_hash(text, length) & (size - 1);
		for (; slots[slot]; slot = (slot + 1) & (size - 1)) {
			const struct name *name = &profile->names[slots[slot] - 1];
			if (name->length == length && memcmp(name->text, text, length) == 0)
				break;
		}
		if (!slots[slot]) {
			profile->names[profile->name_count] = (struct name){ .text = text, .length = length };
			slots[slot] = ++profile->name_count;
		}
		profile->function_names[id] = slots[slot] - 1;
	}
	free(slots);
}

static void profile_sum(struct profile *profile)
{
	for (uint32_t i = 0; i < profile->sample_count; i++) {
		const struct sample *sample = &profile->samples[i];
		for (uint32_t frame = 0; frame < sample->location_count; frame++) {
			struct location location = profile->locations[profile->location_ids[sample->first_location + frame]];
			for (uint32_t line = 0; line < location.line_count; line++) {
				uint32_t function = profile->line_functions[location.first_line + line];
				struct name *name = &profile->names[profile->function_names[function]];
				if (frame == 0 && line == 0)
					name->flat += sample->value;
				if (name->last_sample != i + 1) {
					name->last_sample = i + 1;
					name->cum += sample->value;
				}
			}
		}
	}
}

static int by_flat(const void *one, const void *two)
{
	uint64_t a = ((const struct name *)one)->flat, b = ((const struct name *)two)->flat;
	return a < b ? 1 : a > b ? -1 : 0;
}

static void profile_print(struct profile *profile)
{
	qsort(profile->names, profile->name_count, sizeof(struct name), by_flat);
	for (uint32_t i = 0; i < SHOWN && i < profile->name_count; i++) {
		const struct name *name = &profile->names[i];
		printf("%14" PRIu64 " %14" PRIu64 " %.*s\n", name->flat, name->cum, (int)name->length, name->text);
	}
}

static void top(struct span span)
{
	struct profile profile = { 0 };
	profile_allocate(&profile, span);
	profile_decode(&profile, span);
	profile_intern_names(&profile);
	profile_sum(&profile);
	profile_print(&profile);
	free(profile.samples);
	free(profile.location_ids);
	free(profile.locations);
	free(profile.line_functions);
	free(profile.function_names);
	free(profile.strings);
	free(profile.names);
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fputs("usage: pbwalk inflate|walk|top FILE\n", stderr);
		return 2;
	}
	struct span span = inflate_file(argv[2]);
	if (strcmp(argv[1], "walk") == 0)
		printf("%" PRIu64 "\n", walk_message(span, 0));
	else if (strcmp(argv[1], "top") == 0)
		top(span);
	else if (strcmp(argv[1], "inflate") == 0)
		printf("%td\n", span.end - span.at);
	else
		die(argv[1], "not a mode");
	free((void *)(uintptr_t)span.at);
	return 0;
}
