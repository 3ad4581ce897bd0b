/* legacy_contention.c - waiting for locks as text: gperftools' contentionz and Go's mutex and block profiles (debug=1).
 *
 * A title, "key = value" lines, then "DELAY COUNT @ 0x... 0x..." for each stack; delays are in cycles.
 */
#include "base/number.h"
#include "profile/legacy_build.h"

/* What the keys say. */
struct contention {
	int64_t hz; /* cycles per second; 0 = not known */
	int64_t period;
	int64_t duration_ms;
};

static bool is_title(struct str line)
{
	return str_starts_with(line, STR_LITERAL("--- contentionz ")) || str_starts_with(line, STR_LITERAL("--- mutex:")) ||
	       str_starts_with(line, STR_LITERAL("--- contention:"));
}

/* False when the key or its value belongs to another format: Java's texts have "format" and "resolution". */
static bool read_attribute(struct contention *contention, struct str key, struct str value)
{
	if (str_equal(key, STR_LITERAL("cycles/second")))
		return parse_int(value, 0, &contention->hz) == NUMBER_OK;
	if (str_equal(key, STR_LITERAL("sampling period")))
		return parse_int(value, 0, &contention->period) == NUMBER_OK;
	if (str_equal(key, STR_LITERAL("ms since reset")))
		return parse_int(value, 0, &contention->duration_ms) == NUMBER_OK;
	return str_equal(key, STR_LITERAL("discarded samples"));
}

/* Reads the attributes; the line behind them stays the current one. */
static bool read_attributes(struct line_scanner *lines, struct contention *contention)
{
	while (scanner_next(lines)) {
		struct str line = text_trim(lines->line);
		if (text_is_comment(line))
			continue;
		size_t equals = text_find(line, 0, STR_LITERAL("="));
		if (str_starts_with(line, STR_LITERAL("---")) || equals == line.length)
			break;
		struct str key = text_trim(text_cut(line, 0, equals));
		if (!read_attribute(contention, key, text_trim(str_from(line, equals + 1))))
			return false;
	}
	return true;
}

/* Finds the first "DELAY COUNT @" in the line. Without a blank between them, the last digit is the count. */
static bool find_row(struct str line, struct str numbers[2], struct str *ret_addresses)
{
	const struct str mark = STR_LITERAL(" @");
	for (size_t at = 0; at < line.length;) {
		size_t end = skip_digits(line, at);
		if (end == at) {
			at++;
			continue;
		}
		size_t second = skip_char(line, end, ' ');
		size_t second_end = skip_digits(line, second);
		if (second_end == second) {
			second_end = end;
			second = end - at >= 2 ? end - 1 : end;
		}
		if (second_end > second && str_starts_with(str_from(line, second_end), mark)) {
			numbers[0] = text_cut(line, at, second < end ? second : end);
			numbers[1] = text_cut(line, second, second_end);
			size_t addresses = second_end + mark.length;
			*ret_addresses = text_cut(line, addresses, skip_addresses(line, addresses));
			return true;
		}
		at = end;
	}
	return false;
}

static enum status read_row(struct legacy *legacy, const struct contention *contention, struct str line)
{
	struct str numbers[2], addresses;
	if (!find_row(line, numbers, &addresses))
		return LEGACY_PASS;
	int64_t row[2];
	for (int i = 0; i < 2; i++) {
		enum number_result result = parse_int(numbers[i], 10, &row[i]);
		if (result != NUMBER_OK)
			return legacy_bad_number(legacy, "malformed sample:", line, result, numbers[i]);
	}
	int64_t delay = row[0], count = row[1];
	if (contention->period > 0) {
		if (contention->hz > 0) {
			double ghz = (double)contention->hz / 1e9;
			delay = int64_from_double((double)delay * (double)contention->period / ghz);
		}
		count = (int64_t)((uint64_t)count * (uint64_t)contention->period);
	}
	uint32_t start = legacy->profile.sample_location_count;
	enum status status = legacy_push_numbers(legacy, addresses, line, start, ADJUST_ALL);
	if (status != STATUS_OK)
		return status;
	int64_t *values = legacy_add_sample(legacy, start);
	values[0] = count;
	values[1] = delay;
	return STATUS_OK;
}

static enum status read_rows(struct legacy *legacy, const struct contention *contention, struct line_scanner *lines)
{
	do {
		struct str line = text_trim(lines->line);
		if (str_starts_with(line, STR_LITERAL("---")))
			break;
		if (text_is_comment(line))
			continue;
		enum status status = read_row(legacy, contention, line);
		if (status != STATUS_OK)
			return status;
	} while (scanner_next(lines));
	return legacy_scan_failure(legacy, lines);
}

enum status legacy_parse_contention(struct legacy *legacy, struct str bytes)
{
	struct line_scanner lines;
	scanner_init(&lines, bytes);
	if (!scanner_next(&lines)) {
		enum status status = legacy_scan_failure(legacy, &lines);
		return status != STATUS_OK ? status : LEGACY_PASS;
	}
	if (!is_title(lines.line))
		return LEGACY_PASS;
	struct contention contention = { .period = 1 };
	if (!read_attributes(&lines, &contention))
		return LEGACY_PASS;
	enum status status = legacy_scan_failure(legacy, &lines);
	if (status != STATUS_OK)
		return status;
	legacy_set_types(legacy, 2, (const char *[]){ "contentions", "count", "delay", "nanoseconds" });
	legacy_set_period(legacy, "contentions", "count", contention.period);
	legacy->profile.duration_ns = (int64_t)((uint64_t)contention.duration_ms * 1000000);
	status = read_rows(legacy, &contention, &lines);
	return status != STATUS_OK ? status : legacy_read_rest(legacy, &lines);
}
