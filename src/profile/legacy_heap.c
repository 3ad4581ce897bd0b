/* legacy_heap.c - heap, growth and fragmentation profiles as text: gperftools' and Go's debug=1. jemalloc's dumps are in
 * legacy_jemalloc.c.
 *
 * "heap profile: A: B [ C: D ] @ KIND/RATE", then a row "A: B [ C: D ] @ 0x... 0x..." for each stack: blocks and bytes in use,
 * blocks and bytes ever allocated.
 */
#include <math.h>

#include "base/number.h"
#include "profile/legacy_build.h"

struct heap_header {
	struct str numbers[4]; /* A to D */
	struct str kind, rate;
};

/* How the rows are to be read. */
struct heap_reading {
	bool is_sampled;
	bool has_alloc;
	int64_t rate;
};

/* e^x, in the very steps that Go takes on amd64 (Shibata's method: reduce by ln 2, divide by 16, Taylor, square four times),
 * since a last bit that differs may change an estimate by one. */
static double exponential(double x)
{
	if (isnan(x) || x > 7.09782712893384e+02)
		return isnan(x) ? x : (double)INFINITY;
	double power = nearbyint(x * 1.4426950408889634);
	if (!(power > -1023 - 53))
		return 0;
	x = fma(-0.69314718055966295651160180568695068359375, power, x);
	x = fma(-0.28235290563031577122588448175013436025525412068e-12, power, x);
	x *= 0.0625;
	double y = 2.4801587301587301587e-5;
	y = fma(y, x, 1.9841269841269841270e-4);
	y = fma(y, x, 1.3888888888888888889e-3);
	y = fma(y, x, 8.3333333333333333333e-3);
	y = fma(y, x, 4.1666666666666666667e-2);
	y = fma(y, x, 1.6666666666666666667e-1);
	y = fma(y, x, 0.5);
	y = fma(y, x, 1.0);
	x *= y;
	for (int i = 0; i < 3; i++)
		x *= x + 2.0;
	return ldexp(fma(x, x + 2.0, 1.0), (int)power);
}

void legacy_unsample(int64_t *count, int64_t *size, int64_t rate)
{
	if (*count == 0 || *size == 0) {
		*count = *size = 0;
		return;
	}
	if (rate <= 1)
		return;
	double block = (double)*size / (double)*count;
	double scale = 1 / (1 - exponential(-block / (double)rate));
	*count = int64_from_double((double)*count * scale);
	*size = int64_from_double((double)*size * scale);
}

void legacy_set_heap_types(struct legacy *legacy, bool has_alloc)
{
	if (has_alloc)
		legacy_set_types(legacy, 4,
		                 (const char *[]){ "alloc_objects", "count", "alloc_space", "bytes", "inuse_objects", "count",
		                                   "inuse_space", "bytes" });
	else
		legacy_set_types(legacy, 2, (const char *[]){ "objects", "count", "space", "bytes" });
}

/* "A: *B *[ *C: *D *]" at text[at], with blanks before A if `leading`; returns where it ends, or 0. */
static size_t match_numbers(struct str text, size_t at, bool may_be_negative, struct str numbers[4])
{
	static const char after[4] = { ':', '[', ':', ']' };
	for (int i = 0; i < 4; i++) {
		size_t start = at;
		if (may_be_negative && i < 2 && at < text.length && text.data[at] == '-')
			at++;
		size_t end = skip_digits(text, at);
		if (end == at)
			return 0;
		numbers[i] = text_cut(text, start, end);
		at = i % 2 == 0 ? end : skip_char(text, end, ' ');
		if (at == text.length || text.data[at] != after[i])
			return 0;
		at++;
		if (i < 3)
			at = skip_char(text, at, ' ');
	}
	return at;
}

/* Finds the first header in the line: with `word` NULL one of any heap kind, else exactly "] @ WORD". */
static bool find_header(struct str line, const char *word, struct heap_header *ret_header)
{
	const struct str title = STR_LITERAL("heap profile:");
	for (size_t at = 0; (at = text_find(line, at, title)) < line.length;) {
		at += title.length;
		size_t end = match_numbers(line, skip_char(line, at, ' '), false, ret_header->numbers);
		if (end == 0)
			continue;
		struct str left = str_from(line, end);
		if (word) {
			if (str_starts_with(left, STR_LITERAL(" @ ")) && str_starts_with(str_from(left, 3), str_of(word)))
				return true;
			continue;
		}
		size_t mark = skip_char(left, 0, ' ');
		if (mark == left.length || left.data[mark] != '@')
			continue;
		left = str_from(left, skip_char(left, mark + 1, ' '));
		if (!str_starts_with(left, STR_LITERAL("heap")))
			continue;
		size_t kind = 4;
		while (kind < left.length && (left.data[kind] == '_' || is_digit(left.data[kind]) ||
		                              (left.data[kind] >= 'a' && left.data[kind] <= 'z')))
			kind++;
		ret_header->kind = text_cut(left, 0, kind);
		size_t rate = kind < left.length && left.data[kind] == '/' ? kind + 1 : kind;
		ret_header->rate = text_cut(left, rate, skip_digits(left, rate));
		return true;
	}
	return false;
}

/* Whether allocations were counted apart from what is in use: the totals differ as texts. */
static bool counts_allocations(const struct str numbers[4])
{
	for (int i = 0; i < 2; i++) {
		if (!str_equal(numbers[2 + i], numbers[i]) && !str_equal(numbers[2 + i], STR_LITERAL("0")))
			return true;
	}
	return false;
}

static bool read_header(struct str line, struct heap_reading *ret_reading)
{
	struct heap_header header;
	*ret_reading = (struct heap_reading){ .rate = 1 };
	if (!find_header(line, NULL, &header))
		return find_header(line, "growth", &header) || find_header(line, "fragmentation", &header);
	int64_t rate = 0;
	if (header.rate.length > 0 && parse_int(header.rate, 10, &rate) != NUMBER_OK)
		return false;
	ret_reading->has_alloc = counts_allocations(header.numbers);
	if (str_equal(header.kind, STR_LITERAL("heapprofile")))
		return true;
	bool is_go = str_equal(header.kind, STR_LITERAL("heap")); /* which states twice its rate */
	ret_reading->is_sampled = true;
	ret_reading->rate = is_go ? rate / 2 : rate;
	return is_go || str_equal(header.kind, STR_LITERAL("heapz_v2")) || str_equal(header.kind, STR_LITERAL("heap_v2"));
}

/* Finds the first row in the line; `ret_addresses` is what follows its '@'. */
static bool find_row(struct str line, struct str numbers[4], struct str *ret_addresses)
{
	for (size_t at = 0; at < line.length;) {
		size_t digits = line.data[at] == '-' ? at + 1 : at;
		size_t digits_end = skip_digits(line, digits);
		if (digits_end == digits) {
			at++;
			continue;
		}
		size_t end = match_numbers(line, at, true, numbers);
		if (end > 0 && str_starts_with(str_from(line, end), STR_LITERAL(" @"))) {
			end += 2;
			*ret_addresses = text_cut(line, end, skip_addresses(line, end));
			return true;
		}
		at = digits_end;
	}
	return false;
}

/* One pair of a row: its estimate goes to values[0] and values[1], the size of one block (if any) to *block_size. */
static enum status read_pair(struct legacy *legacy, const struct heap_reading *reading, struct str line,
                             const struct str pair[2], const char *noun, int64_t *values, int64_t *block_size)
{
	for (int i = 0; i < 2; i++) {
		enum number_result result = parse_int(pair[i], 10, &values[i]);
		if (result != NUMBER_OK)
			return legacy_bad_number(legacy, "malformed sample:", line, result, pair[i]);
	}
	if (values[0] == 0 && values[1] != 0)
		return error_set(legacy->err, STATUS_FORMAT, "%s count was 0 but %s bytes was %lld", noun, noun,
		                 (long long)values[1]);
	if (values[0] == 0)
		return STATUS_OK;
	*block_size = values[0] == -1 ? (int64_t)(0 - (uint64_t)values[1]) : values[1] / values[0];
	if (reading->is_sampled)
		legacy_unsample(&values[0], &values[1], reading->rate);
	return STATUS_OK;
}

static enum status read_row(struct legacy *legacy, const struct heap_reading *reading, struct str line)
{
	struct str numbers[4], addresses;
	if (!find_row(line, numbers, &addresses))
		return error_set(legacy->err, STATUS_FORMAT, "unexpected number of sample values: got 0, want 6");
	int64_t pairs[4], block_size = 0;
	enum status status = STATUS_OK;
	if (reading->has_alloc)
		status = read_pair(legacy, reading, line, numbers + 2, "allocation", pairs, &block_size);
	int64_t *inuse = reading->has_alloc ? pairs + 2 : pairs;
	if (status == STATUS_OK)
		status = read_pair(legacy, reading, line, numbers, "inuse", inuse, &block_size);
	uint32_t start = legacy->profile.sample_location_count;
	if (status == STATUS_OK)
		status = legacy_push_numbers(legacy, addresses, line, start, ADJUST_ALL);
	if (status != STATUS_OK)
		return status;
	memcpy(legacy_add_sample(legacy, start), pairs, legacy->profile.sample_type_count * sizeof(*pairs));
	legacy_label_bytes(legacy, block_size);
	return STATUS_OK;
}

enum status legacy_parse_heap(struct legacy *legacy, struct str bytes)
{
	struct line_scanner lines;
	scanner_init(&lines, bytes);
	if (!scanner_next(&lines)) {
		enum status status = legacy_scan_failure(legacy, &lines);
		return status != STATUS_OK ? status : LEGACY_PASS;
	}
	struct heap_reading reading;
	if (!read_header(lines.line, &reading))
		return LEGACY_PASS;
	legacy_set_period(legacy, "space", "bytes", reading.rate);
	legacy_set_heap_types(legacy, reading.has_alloc);
	while (scanner_next(&lines)) {
		struct str line = text_trim(lines.line);
		if (text_is_comment(line))
			continue;
		if (legacy_announces_map(line))
			break;
		enum status status = read_row(legacy, &reading, line);
		if (status != STATUS_OK)
			return status;
	}
	enum status status = legacy_scan_failure(legacy, &lines);
	return status != STATUS_OK ? status : legacy_read_rest(legacy, &lines);
}
