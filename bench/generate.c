/* generate.c - writes a synthetic profile as large as wanted: gzip'd profile.proto, the same bytes for the same options.
 *
 * A program of `functions` functions is drawn first, by the program seed: each calls one to six others, popular ones
 * more often. A sample is a walk over that call graph: between 5 and 60 frames, 19 on average, the callees of a function
 * taken unevenly. Names are like those of C++, a fifth of the functions have frames inlined into them. Two profiles with
 * one program seed and different sample seeds are two runs of the same program, as for -diff_base.
 *
 * Not here: profiles that are odd or damaged. Those are the tests' business; this one only has to be large.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <libdeflate.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Go compresses its profiles for speed, others for size; this is zlib's usual middle. */
#define DEFLATE_LEVEL 6

#define MAX_CALLEES 6
/* Sites of a function: one for each call, and from FIRST_LEAF_SITE on those where a sample can end. */
#define FIRST_LEAF_SITE 8
#define LEAF_SITES 6
#define SITES (FIRST_LEAF_SITE + LEAF_SITES)
#define BYTES_PER_SITE 16
#define BYTES_PER_FUNCTION 512

#define MIN_DEPTH 5
#define MAX_DEPTH 60
#define MEAN_EXTRA_DEPTH 14
#define ENTRY_FUNCTIONS 20

#define FIRST_ADDRESS 0x400000u
#define MAPPING_DISTANCE 0x100000000u
#define MAPPING_SIZE 0xf0000000u

#define PERIOD_NS 10000000
#define HEAP_PERIOD_BYTES 524288

static const char *const words[] = { "alloc",    "buffer",  "cache",    "decode", "encode", "flush",   "graph",
	                                 "hash",     "index",   "json",     "key",    "list",   "map",     "node",
	                                 "object",   "parse",   "queue",    "read",   "sort",   "table",   "update",
	                                 "value",    "write",   "xml",      "yield",  "zone",   "session", "request",
	                                 "response", "handler", "iterator", "context" };

static const char *const mapping_files[] = { "/usr/bin/bigserver", "/usr/lib/x86_64-linux-gnu/libc.so.6",
	                                         "/usr/lib/x86_64-linux-gnu/libstdc++.so.6", "/usr/lib/libplugin.so" };

struct options {
	uint32_t samples, functions;
	uint64_t seed, program_seed;
	bool labels, heap;
	const char *output;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "generate: %s: %s\n", what, why);
	exit(1);
}

static void *grow(void *memory, size_t count, size_t size)
{
	void *grown = reallocarray(memory, count ? count : 1, size);
	if (!grown)
		die("memory", strerror(ENOMEM));
	return grown;
}

static void *zeroed(size_t count, size_t size)
{
	return memset(grow(NULL, count, size), 0, count * size);
}

/* --- random numbers ------------------------------------------------------------------------------------------------ */

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t random_u64(uint64_t *state)
{
	uint64_t z = *state += 0x9E3779B97F4A7C15u;
	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
	z = (z ^ z >> 27) * 0x94D049BB133111EBu;
	return z ^ z >> 31;
}

static uint32_t random_below(uint64_t *state, uint32_t end)
{
	return (uint32_t)((random_u64(state) >> 32) * end >> 32);
}

/* In [0, 1). */
static double random_unit(uint64_t *state)
{
	return (double)(random_u64(state) >> 11) * 0x1p-53;
}

static double random_exponential(uint64_t *state, double mean)
{
	return -mean * log1p(-random_unit(state));
}

/* In [0, end), lower ones more often the larger the power. */
static uint32_t random_uneven(uint64_t *state, uint32_t end, double power)
{
	return (uint32_t)(end * pow(random_unit(state), power));
}

static const char *random_word(uint64_t *state)
{
	return words[random_below(state, LENGTH(words))];
}

/* --- protobuf ------------------------------------------------------------------------------------------------------ */

struct buffer {
	uint8_t *data;
	size_t length, capacity;
};

static void put_bytes(struct buffer *buffer, const void *data, size_t length)
{
	if (buffer->capacity - buffer->length < length) {
		buffer->capacity = (buffer->capacity + length) * 2;
		buffer->data = grow(buffer->data, buffer->capacity, 1);
	}
	memcpy(buffer->data + buffer->length, data, length);
	buffer->length += length;
}

static void put_varint(struct buffer *buffer, uint64_t value)
{
	uint8_t bytes[10];
	size_t length = 0;
	for (; value >= 0x80; value >>= 7)
		bytes[length++] = (uint8_t)(value | 0x80);
	bytes[length++] = (uint8_t)value;
	put_bytes(buffer, bytes, length);
}

static void put_number(struct buffer *buffer, uint32_t field, uint64_t value)
{
	if (!value)
		return;
	put_varint(buffer, field << 3);
	put_varint(buffer, value);
}

static void put_field(struct buffer *buffer, uint32_t field, const void *data, size_t length)
{
	put_varint(buffer, field << 3 | 2);
	put_varint(buffer, length);
	put_bytes(buffer, data, length);
}

/* Puts a message or a packed array that was written into `inner`, and empties that. */
static void put_message(struct buffer *buffer, uint32_t field, struct buffer *inner)
{
	put_field(buffer, field, inner->data, inner->length);
	inner->length = 0;
}

/* --- the program --------------------------------------------------------------------------------------------------- */

struct function {
	char *name;
	uint32_t callees[MAX_CALLEES];
	uint32_t callee_count;
	bool used; /* some location names it */
};

struct site {
	uint32_t function, number;
};

struct program {
	struct function *functions;
	uint32_t function_count;
	uint32_t *location_ids; /* of function * SITES + site number; 0 = not seen yet */
	struct site *sites;     /* by location id - 1 */
	uint32_t location_count;
};

static char *formatted(const char *format, ...) __attribute__((format(printf, 1, 2)));

static char *formatted(const char *format, ...)
{
	char *text;
	va_list arguments;
	va_start(arguments, format);
	int length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0)
		die("memory", strerror(ENOMEM));
	return text;
}

static char *function_name(uint64_t *random, uint32_t number)
{
	const char *w[6];
	for (size_t i = 0; i < LENGTH(w); i++)
		w[i] = random_word(random);
	switch (random_below(random, 4)) {
	case 0:
		return formatted("%s_%s_%" PRIu32, w[0], w[1], number);
	case 1:
		return formatted("%s::%s_%s::%s_%" PRIu32, w[0], w[1], w[2], w[3], number);
	case 2:
		return formatted("std::%s<%s::%s, std::allocator<%s::%s> >::%s_%" PRIu32, w[0], w[1], w[2], w[3], w[4], w[5],
		                 number);
	default:
		return formatted("(anonymous namespace)::%s_%s_%s_%" PRIu32, w[0], w[1], w[2], number);
	}
}

static struct program program_draw(uint32_t function_count, uint64_t seed)
{
	struct program program = {
		.functions = zeroed(function_count, sizeof(struct function)),
		.function_count = function_count,
		.location_ids = zeroed((size_t)function_count * SITES, sizeof(uint32_t)),
		.sites = grow(NULL, (size_t)function_count * SITES, sizeof(struct site)),
	};
	for (uint32_t i = 0; i < function_count; i++) {
		struct function *function = &program.functions[i];
		function->name = function_name(&seed, i);
		function->callee_count = 1 + random_below(&seed, MAX_CALLEES);
		for (uint32_t call = 0; call < function->callee_count; call++)
			function->callees[call] = random_uneven(&seed, function_count, 2.2);
	}
	return program;
}

static void program_release(struct program *program)
{
	for (uint32_t i = 0; i < program->function_count; i++)
		free(program->functions[i].name);
	free(program->functions);
	free(program->location_ids);
	free(program->sites);
}

static uint32_t location_id(struct program *program, uint32_t function, uint32_t site)
{
	uint32_t *id = &program->location_ids[(size_t)function * SITES + site];
	if (!*id) {
		program->sites[program->location_count] = (struct site){ function, site };
		*id = ++program->location_count;
	}
	return *id;
}

/* Fills `stack`, the root first, and returns its depth. */
static uint32_t program_walk(struct program *program, uint64_t *random, uint32_t stack[MAX_DEPTH])
{
	double extra = random_exponential(random, MEAN_EXTRA_DEPTH);
	uint32_t depth = extra < MAX_DEPTH - MIN_DEPTH ? MIN_DEPTH + (uint32_t)extra : MAX_DEPTH;
	uint32_t at = random_below(random, ENTRY_FUNCTIONS);
	for (uint32_t i = 0; i + 1 < depth; i++) {
		const struct function *function = &program->functions[at];
		uint32_t call = random_uneven(random, function->callee_count, 1.7);
		stack[i] = location_id(program, at, call);
		at = function->callees[call];
	}
	stack[depth - 1] = location_id(program, at, FIRST_LEAF_SITE + random_below(random, LEAF_SITES));
	return depth;
}

/* --- the profile --------------------------------------------------------------------------------------------------- */

#define WORKERS 64
#define ROUTES 200
#define PIDS 50
#define FIRST_PID 1000

struct writer {
	struct buffer profile, body, inner; /* what is written; the message being built; what is nested in it */
	char **strings;
	uint64_t string_count, string_capacity;
	uint64_t thread_key, route_key, pid_key; /* of the labels */
	uint64_t first_worker, first_route;      /* strings that follow each other */
};

/* Takes the text, and returns its index. Nobody asks twice for one text, so there is nothing to look up. */
static uint64_t add_string(struct writer *writer, char *text)
{
	if (writer->string_count == writer->string_capacity) {
		writer->string_capacity = writer->string_capacity * 2 + 1024;
		writer->strings = grow(writer->strings, writer->string_capacity, sizeof(char *));
	}
	writer->strings[writer->string_count] = text;
	return writer->string_count++;
}

static uint64_t add_copy(struct writer *writer, const char *text)
{
	return add_string(writer, formatted("%s", text));
}

static void write_value_type(struct writer *writer, uint32_t field, uint64_t type, uint64_t unit)
{
	put_number(&writer->body, 1, type);
	put_number(&writer->body, 2, unit);
	put_message(&writer->profile, field, &writer->body);
}

static void write_types(struct writer *writer, bool heap)
{
	uint64_t count = add_copy(writer, "count");
	if (heap) {
		uint64_t bytes = add_copy(writer, "bytes");
		write_value_type(writer, 1, add_copy(writer, "alloc_objects"), count);
		write_value_type(writer, 1, add_copy(writer, "alloc_space"), bytes);
		write_value_type(writer, 1, add_copy(writer, "inuse_objects"), count);
		write_value_type(writer, 1, add_copy(writer, "inuse_space"), bytes);
		write_value_type(writer, 11, add_copy(writer, "space"), bytes);
		put_number(&writer->profile, 12, HEAP_PERIOD_BYTES);
	} else {
		uint64_t cpu = add_copy(writer, "cpu"), nanoseconds = add_copy(writer, "nanoseconds");
		write_value_type(writer, 1, add_copy(writer, "samples"), count);
		write_value_type(writer, 1, cpu, nanoseconds);
		write_value_type(writer, 11, cpu, nanoseconds);
		put_number(&writer->profile, 12, PERIOD_NS);
	}
	put_number(&writer->profile, 9, 1700000000000000000);
	put_number(&writer->profile, 10, 60000000000);
}

static void add_label_strings(struct writer *writer)
{
	writer->thread_key = add_copy(writer, "thread");
	writer->route_key = add_copy(writer, "route");
	writer->pid_key = add_copy(writer, "pid");
	writer->first_worker = writer->string_count;
	for (uint32_t i = 0; i < WORKERS; i++)
		add_string(writer, formatted("worker-%" PRIu32, i));
	writer->first_route = writer->string_count;
	for (uint32_t i = 0; i < ROUTES; i++)
		add_string(writer,
		           formatted("/api/v1/%s/%s/%" PRIu32, words[i % LENGTH(words)], words[i * 7 % LENGTH(words)], i));
}

static void write_label(struct writer *writer, uint64_t key, uint32_t field, uint64_t value)
{
	put_number(&writer->inner, 1, key);
	put_number(&writer->inner, field, value);
	put_message(&writer->body, 3, &writer->inner);
}

/* Nearly every sample has labels of its own: as many sets as there are threads times routes times processes. */
static void write_labels(struct writer *writer, uint64_t *random)
{
	write_label(writer, writer->thread_key, 2, writer->first_worker + random_below(random, WORKERS));
	write_label(writer, writer->route_key, 2, writer->first_route + random_below(random, ROUTES));
	write_label(writer, writer->pid_key, 3, FIRST_PID + random_below(random, PIDS));
}

static void write_values(struct writer *writer, uint64_t *random, bool heap)
{
	if (heap) {
		uint64_t objects = 1 + random_below(random, 100), size = (uint64_t)16 << random_below(random, 10);
		put_varint(&writer->inner, objects);
		put_varint(&writer->inner, objects * size);
		put_varint(&writer->inner, objects / 2);
		put_varint(&writer->inner, objects / 2 * size);
	} else {
		uint64_t ticks = 1 + (uint64_t)random_exponential(random, 2);
		put_varint(&writer->inner, ticks);
		put_varint(&writer->inner, ticks * PERIOD_NS);
	}
	put_message(&writer->body, 2, &writer->inner);
}

static void write_samples(struct writer *writer, struct program *program, const struct options *options)
{
	uint64_t random = options->seed;
	for (uint32_t i = 0; i < options->samples; i++) {
		uint32_t stack[MAX_DEPTH];
		uint32_t depth = program_walk(program, &random, stack);
		while (depth > 0)
			put_varint(&writer->inner, stack[--depth]);
		put_message(&writer->body, 1, &writer->inner);
		write_values(writer, &random, options->heap);
		if (options->labels)
			write_labels(writer, &random);
		put_message(&writer->profile, 2, &writer->body);
	}
}

static uint64_t mapping_start(uint32_t mapping)
{
	return FIRST_ADDRESS + (uint64_t)mapping * MAPPING_DISTANCE;
}

static void write_mappings(struct writer *writer)
{
	for (uint32_t i = 0; i < LENGTH(mapping_files); i++) {
		put_number(&writer->body, 1, i + 1);
		put_number(&writer->body, 2, mapping_start(i));
		put_number(&writer->body, 3, mapping_start(i) + MAPPING_SIZE);
		put_number(&writer->body, 5, add_copy(writer, mapping_files[i]));
		put_number(&writer->body, 6, add_string(writer, formatted("%040" PRIx32, i * 7919 + 1)));
		for (uint32_t has = 7; has <= 10; has++)
			put_number(&writer->body, has, 1);
		put_message(&writer->profile, 3, &writer->body);
	}
}

static void write_line(struct writer *writer, struct program *program, uint32_t function, uint32_t line)
{
	program->functions[function].used = true;
	put_number(&writer->inner, 1, function + 1);
	put_number(&writer->inner, 2, line);
	put_message(&writer->body, 4, &writer->inner);
}

static void write_locations(struct writer *writer, struct program *program)
{
	for (uint32_t i = 0; i < program->location_count; i++) {
		uint32_t function = program->sites[i].function, site = program->sites[i].number;
		/* Seven functions in ten are the program's own, the others spread over its libraries. */
		uint32_t mapping = function % 10 < LENGTH(mapping_files) ? function % 10 : 0;
		put_number(&writer->body, 1, i + 1);
		put_number(&writer->body, 2, mapping + 1);
		put_number(&writer->body, 3,
		           mapping_start(mapping) + (uint64_t)function * BYTES_PER_FUNCTION + site * BYTES_PER_SITE);
		if (function % 5 == 0 && site % 2 == 0)
			write_line(writer, program, (function + 13 * site + 1) % program->function_count, 10 + site);
		write_line(writer, program, function, 100 + site * 7);
		put_message(&writer->profile, 4, &writer->body);
	}
}

static uint32_t write_functions(struct writer *writer, const struct program *program)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < program->function_count; i++) {
		if (!program->functions[i].used)
			continue;
		uint64_t name = add_copy(writer, program->functions[i].name);
		put_number(&writer->body, 1, i + 1);
		put_number(&writer->body, 2, name);
		put_number(&writer->body, 3, name);
		put_number(&writer->body, 4,
		           add_string(writer, formatted("/build/src/%s/%s_%" PRIu32 ".cc", words[i % LENGTH(words)],
		                                        words[i / LENGTH(words) % LENGTH(words)], i / 40)));
		put_number(&writer->body, 5, 1 + i % 3000);
		put_message(&writer->profile, 5, &writer->body);
		count++;
	}
	return count;
}

/* The last to be written, when all strings are known. */
static void write_strings(struct writer *writer)
{
	for (uint64_t i = 0; i < writer->string_count; i++) {
		put_field(&writer->profile, 6, writer->strings[i], strlen(writer->strings[i]));
		free(writer->strings[i]);
	}
	free(writer->strings);
}

static void write_file(const struct buffer *profile, const char *path)
{
	struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(DEFLATE_LEVEL);
	if (!compressor)
		die("memory", strerror(ENOMEM));
	size_t bound = libdeflate_gzip_compress_bound(compressor, profile->length);
	uint8_t *packed = grow(NULL, bound, 1);
	size_t length = libdeflate_gzip_compress(compressor, profile->data, profile->length, packed, bound);
	FILE *file = fopen(path, "wb");
	if (!file || fwrite(packed, 1, length, file) != length || fclose(file))
		die(path, strerror(errno));
	free(packed);
	libdeflate_free_compressor(compressor);
}

static void generate(const struct options *options)
{
	struct program program = program_draw(options->functions, options->program_seed);
	struct writer writer = { 0 };
	add_copy(&writer, "");
	write_types(&writer, options->heap);
	if (options->labels)
		add_label_strings(&writer);
	write_samples(&writer, &program, options);
	write_mappings(&writer);
	write_locations(&writer, &program);
	uint32_t function_count = write_functions(&writer, &program);
	write_strings(&writer);
	write_file(&writer.profile, options->output);
	printf("%" PRIu32 " samples, %" PRIu32 " locations, %" PRIu32 " functions, %zu bytes unpacked\n", options->samples,
	       program.location_count, function_count, writer.profile.length);
	program_release(&program);
	free(writer.profile.data);
	free(writer.body.data);
	free(writer.inner.data);
}

/* --- options ------------------------------------------------------------------------------------------------------- */

static const char usage[] = "usage: generate [--samples N] [--functions N] [--seed N] [--program-seed N] [--labels] "
							"[--heap] --output FILE\n";

#define MAX_FUNCTIONS (MAPPING_SIZE / BYTES_PER_FUNCTION)
#define MAX_SAMPLES 100000000

static uint64_t number_option(const char *name, const char *text, uint64_t least, uint64_t most)
{
	char *end;
	errno = 0;
	uint64_t number = strtoull(text, &end, 10);
	if (errno || *end || end == text || *text == '-' || number < least || number > most)
		die(name, "not a number that is possible here");
	return number;
}

static struct options parse_options(int argc, char **argv)
{
	static const struct option known[] = {
		{ "samples", required_argument, NULL, 'n' }, { "functions", required_argument, NULL, 'f' },
		{ "seed", required_argument, NULL, 's' },    { "program-seed", required_argument, NULL, 'p' },
		{ "labels", no_argument, NULL, 'l' },        { "heap", no_argument, NULL, 'h' },
		{ "output", required_argument, NULL, 'o' },  { 0 },
	};
	struct options options = { .samples = 10000, .functions = 2000, .seed = 1, .program_seed = 7 };
	for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
		switch (option) {
		case 'n':
			options.samples = (uint32_t)number_option("--samples", optarg, 1, MAX_SAMPLES);
			break;
		case 'f':
			options.functions = (uint32_t)number_option("--functions", optarg, ENTRY_FUNCTIONS, MAX_FUNCTIONS);
			break;
		case 's':
			options.seed = number_option("--seed", optarg, 0, UINT64_MAX);
			break;
		case 'p':
			options.program_seed = number_option("--program-seed", optarg, 0, UINT64_MAX);
			break;
		case 'l':
			options.labels = true;
			break;
		case 'h':
			options.heap = true;
			break;
		case 'o':
			options.output = optarg;
			break;
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (!options.output || optind < argc) {
		fputs(usage, stderr);
		exit(2);
	}
	return options;
}

int main(int argc, char **argv)
{
	struct options options = parse_options(argc, argv);
	generate(&options);
	return 0;
}
