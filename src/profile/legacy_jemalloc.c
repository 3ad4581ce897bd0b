/* legacy_jemalloc.c - jemalloc's heap dumps, which the reference does not read.
 *
 *     heap_v2/RATE
 *       t*: BLOCKS: BYTES [BLOCKS: BYTES]      all threads: in use, ever allocated (0 without prof_accum)
 *       t0: ...                                each thread
 *     @ 0x... 0x...                            a stack, leaf first, followed by the same lines for it
 *       t*: ...
 *     MAPPED_LIBRARIES:
 *
 * Only the lines of all threads count. Samples are weighed as jeprof does it for this version of the format, which is how
 * heap_v2 texts are weighed elsewhere; every address is a return address. Format: jemalloc's src/prof_data.c and jeprof.
 */
#include "profile/legacy_build.h"

/* Frames of jemalloc itself, beyond those of any allocator: its entry points, and what is left of them when a call in tail
 * position has replaced one. */
#define JEMALLOC_FRAMES \
	"|aligned_alloc|(m|r|x|s|d|sd)allocx|je_.*|(void\\* " \
	")?newImpl|malloc_default|imalloc|imalloc_body|prof_backtrace(_impl)?"

struct row {
	int64_t numbers[4]; /* blocks and bytes in use, blocks and bytes allocated */
	bool is_total;      /* of all threads */
};

static bool read_title(struct str line, int64_t *ret_rate)
{
	const struct str start = STR_LITERAL("heap_v2/");
	line = text_trim(line);
	if (!str_starts_with(line, start))
		return false;
	struct str rate = str_from(line, start.length);
	return skip_digits(rate, 0) == rate.length && parse_int(rate, 10, ret_rate) == NUMBER_OK;
}

/* "tTHREAD: A: B [C: D]" in a trimmed line. */
static bool read_row(struct str line, struct row *ret_row)
{
	static const char before[4] = { ':', ':', '[', ':' };
	if (line.length < 2 || line.data[0] != 't' || line.data[line.length - 1] != ']')
		return false;
	ret_row->is_total = line.data[1] == '*';
	size_t at = ret_row->is_total ? 2 : skip_digits(line, 1);
	if (at == 1)
		return false;
	for (int i = 0; i < 4; i++) {
		at = skip_blanks(line, at);
		if (at == line.length || line.data[at] != before[i])
			return false;
		at = skip_blanks(line, at + 1);
		size_t end = skip_digits(line, at);
		if (parse_int(text_cut(line, at, end), 10, &ret_row->numbers[i]) != NUMBER_OK)
			return false;
		at = end;
	}
	return skip_blanks(line, at) == line.length - 1;
}

static void add_sample(struct legacy *legacy, const struct row *row, uint32_t start)
{
	int64_t blocks = row->numbers[0], bytes = row->numbers[1];
	if (blocks == 0) {
		blocks = row->numbers[2];
		bytes = row->numbers[3];
	}
	int64_t *values = legacy_add_sample(legacy, start);
	int64_t *inuse = values + (legacy->profile.sample_type_count - 2);
	memcpy(values, row->numbers + 2, 2 * sizeof(*values));
	memcpy(inuse, row->numbers, 2 * sizeof(*inuse));
	for (uint32_t k = 0; k < legacy->profile.sample_type_count; k += 2)
		legacy_unsample(&values[k], &values[k + 1], legacy->profile.period);
	legacy_label_bytes(legacy, blocks ? bytes / blocks : 0);
}

/* The stack that the rows which come now belong to. */
struct jemalloc_state {
	uint32_t stack_start;
	bool has_stack, has_types;
};

static enum status malformed(struct legacy *legacy)
{
	return error_set(legacy->err, STATUS_FORMAT, "malformed profile format");
}

static enum status read_line(struct legacy *legacy, struct jemalloc_state *state, struct str line)
{
	struct profile *profile = &legacy->profile;
	if (line.data[0] == '@') {
		if (!state->has_types)
			return malformed(legacy);
		state->has_stack = true;
		state->stack_start = profile->sample_location_count;
		return legacy_push_numbers(legacy, str_from(line, 1), line, state->stack_start, ADJUST_ALL);
	}
	struct row row;
	if (!read_row(line, &row))
		return malformed(legacy);
	if (!row.is_total)
		return STATUS_OK;
	if (state->has_stack) {
		add_sample(legacy, &row, state->stack_start);
		state->has_stack = false;
	} else if (!state->has_types) {
		legacy_set_heap_types(legacy, row.numbers[2] != 0 || row.numbers[3] != 0);
		state->has_types = true;
	} else {
		return malformed(legacy);
	}
	return STATUS_OK;
}

enum status legacy_parse_jemalloc(struct legacy *legacy, struct str bytes)
{
	struct line_scanner lines;
	scanner_init(&lines, bytes);
	int64_t rate;
	if (!scanner_next(&lines) || !read_title(lines.line, &rate))
		return LEGACY_PASS;
	legacy_set_period(legacy, "space", "bytes", rate);
	legacy->more_drop_frames = JEMALLOC_FRAMES;
	struct jemalloc_state state = { 0 };
	while (scanner_next(&lines)) {
		struct str line = text_trim(lines.line);
		if (legacy_announces_map(line))
			break;
		if (text_is_comment(line))
			continue;
		enum status status = read_line(legacy, &state, line);
		if (status != STATUS_OK)
			return status;
	}
	enum status status = legacy_scan_failure(legacy, &lines);
	if (status == STATUS_OK && !state.has_types)
		status = malformed(legacy);
	return status != STATUS_OK ? status : legacy_read_rest(legacy, &lines);
}
