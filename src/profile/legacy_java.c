/* legacy_java.c - Java's heap and contention profiles as text, and the names of locations, which end those and Java's CPU
 * profiles (the samples of the latter are read by legacy_cpu.c).
 *
 * A title, "name=value" lines, rows "V1 V2 @ 0x... 0x...", then lines "0xADDRESS FUNCTION (FILE:LINE)". Addresses are not those
 * of code and are cleared in the end.
 */
#include "base/number.h"
#include "profile/legacy_build.h"

/* Java's heap is sampled at this many bytes. */
#define JAVA_HEAP_RATE 524288

struct java {
	struct legacy *legacy;
	struct str left;
	bool is_heap;
	bool has_types;
};

/* Takes the next complete line (trimmed); the last one without an end is left. */
static bool next_line(struct str *left, struct str *ret_line)
{
	const char *end = memchr(left->data, '\n', left->length);
	if (!end)
		return false;
	size_t length = (size_t)(end - left->data);
	*ret_line = text_trim(text_cut(*left, 0, length));
	*left = str_from(*left, length + 1);
	return true;
}

/* --- attributes ------------------------------------------------------------------------------------------------- */

static bool is_word_or_space(char c)
{
	return c == ' ' || c == '_' || is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Finds the first "words=words" in the line. */
static bool find_attribute(struct str line, struct str *ret_name, struct str *ret_value)
{
	for (size_t at = 0; (at = text_find(line, at, STR_LITERAL("="))) < line.length; at++) {
		size_t start = at, end = at + 1;
		while (start > 0 && is_word_or_space(line.data[start - 1]))
			start--;
		while (end < line.length && is_word_or_space(line.data[end]))
			end++;
		if (start == at || end == at + 1)
			continue;
		*ret_name = text_trim(text_cut(line, start, at));
		*ret_value = text_trim(text_cut(line, at + 1, end));
		return true;
	}
	return false;
}

static void set_types(struct java *java, struct str unit)
{
	struct profile *profile = &java->legacy->profile;
	legacy_set_types(java->legacy, 2,
	                 java->is_heap ? (const char *[]){ "inuse_objects", "count", "inuse_space", "" }
	                               : (const char *[]){ "contentions", "count", "delay", "" });
	profile->sample_types[1].unit = profile_intern(profile, unit);
	java->has_types = true;
}

static enum status read_number(struct java *java, struct str line, struct str value, int64_t *ret_number)
{
	enum number_result result = parse_int(value, 0, ret_number);
	if (result == NUMBER_OK)
		return STATUS_OK;
	return legacy_bad_number(java->legacy, "failed to parse attribute", line, result, value);
}

static enum status read_attribute(struct java *java, struct str line, struct str name, struct str value)
{
	struct profile *profile = &java->legacy->profile;
	if (str_equal(name, STR_LITERAL("format")))
		return str_equal(value, STR_LITERAL("java")) ? STATUS_OK : LEGACY_PASS;
	if (str_equal(name, STR_LITERAL("resolution"))) {
		set_types(java, value);
		return STATUS_OK;
	}
	if (java->is_heap)
		return LEGACY_PASS;
	if (str_equal(name, STR_LITERAL("sampling period"))) {
		legacy_set_period(java->legacy, "contentions", "count", 0);
		return read_number(java, line, value, &profile->period);
	}
	if (!str_equal(name, STR_LITERAL("ms since reset")))
		return LEGACY_PASS;
	int64_t milliseconds = 0;
	enum status status = read_number(java, line, value, &milliseconds);
	profile->duration_ns = (int64_t)((uint64_t)milliseconds * 1000000);
	return status;
}

static enum status read_attributes(struct java *java)
{
	struct str line, name, value;
	for (struct str behind = java->left; next_line(&behind, &line); java->left = behind) {
		if (line.length == 0)
			continue;
		if (!find_attribute(line, &name, &value))
			return STATUS_OK;
		enum status status = read_attribute(java, line, name, value);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

/* --- rows ------------------------------------------------------------------------------------------------------- */

/* Finds the first "V1 V2 @ ADDRESSES" in the line. */
static bool find_row(struct str line, struct str numbers[2], struct str *ret_addresses)
{
	for (size_t at = 0; at < line.length;) {
		size_t end = skip_digits(line, at);
		if (end == at) {
			at++;
			continue;
		}
		size_t second = skip_char(line, end, ' ');
		size_t second_end = skip_digits(line, second);
		size_t mark = skip_char(line, second_end, ' ');
		if (second > end && second_end > second && mark > second_end &&
		    str_starts_with(str_from(line, mark), STR_LITERAL("@ "))) {
			numbers[0] = text_cut(line, at, end);
			numbers[1] = text_cut(line, second, second_end);
			*ret_addresses = text_cut(line, mark + 1, skip_addresses(line, mark + 1));
			return true;
		}
		at = end;
	}
	return false;
}

static int64_t multiply(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a * (uint64_t)b);
}

/* The values of a row: the second number comes first. */
static enum status read_values(struct java *java, struct str line, const struct str numbers[2], int64_t values[2],
                               int64_t *ret_block_size)
{
	for (int i = 0; i < 2; i++) {
		enum number_result result = parse_int(numbers[1 - i], 0, &values[i]);
		if (result != NUMBER_OK)
			return legacy_bad_number(java->legacy, "parsing sample", line, result, numbers[1 - i]);
	}
	int64_t period = java->legacy->profile.period;
	if (!java->is_heap) {
		for (int i = 0; i < 2 && period != 0; i++)
			values[i] = multiply(values[i], period);
		return STATUS_OK;
	}
	if (values[0] == 0)
		return error_set(java->legacy->err, STATUS_FORMAT, "parsing sample %.*s: second value must be non-zero",
		                 STR_ARG(line));
	*ret_block_size = values[1] / values[0];
	legacy_unsample(&values[0], &values[1], JAVA_HEAP_RATE);
	return STATUS_OK;
}

static enum status read_row(struct java *java, struct str line, const struct str numbers[2], struct str addresses)
{
	struct legacy *legacy = java->legacy;
	uint32_t start = legacy->profile.sample_location_count;
	enum status status = legacy_push_numbers(legacy, addresses, line, start, ADJUST_NONE);
	int64_t values[2], block_size = 0;
	if (status == STATUS_OK)
		status = read_values(java, line, numbers, values, &block_size);
	if (status != STATUS_OK)
		return status;
	memcpy(legacy_add_sample(legacy, start), values, sizeof(values));
	if (java->is_heap)
		legacy_label_bytes(legacy, block_size);
	return STATUS_OK;
}

static enum status read_rows(struct java *java)
{
	struct str line, numbers[2], addresses;
	for (struct str behind = java->left; next_line(&behind, &line); java->left = behind) {
		if (line.length == 0)
			continue;
		if (!find_row(line, numbers, &addresses))
			return STATUS_OK;
		enum status status = read_row(java, line, numbers, addresses);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

/* --- names ------------------------------------------------------------------------------------------------------ */

struct java_name {
	struct str function, file;
	int64_t line;
};

/* Where the last " (" is that leaves at least `least` bytes up to `end`; SIZE_MAX if nowhere. */
static size_t find_parenthesis(struct str text, size_t end, size_t least)
{
	for (size_t i = end; i >= 2 + least; i--) {
		size_t open = i - 1 - least;
		if (text.data[open] == '(' && is_blank(text.data[open - 1]))
			return open;
	}
	return SIZE_MAX;
}

/* "function (file:line)" */
static bool split_file_and_line(struct str text, struct java_name *ret_name)
{
	size_t end = text.length - 1, digits = end;
	while (digits > 0 && is_digit(text.data[digits - 1]))
		digits--;
	size_t number = digits > 0 && text.data[digits - 1] == '-' ? digits - 1 : digits;
	if (digits == end || number == 0 || text.data[number - 1] != ':')
		return false;
	size_t open = find_parenthesis(text, number - 1, 1);
	if (open == SIZE_MAX)
		return false;
	int64_t line;
	bool is_line = parse_int(text_cut(text, number, end), 10, &line) == NUMBER_OK && line > 0;
	*ret_name = (struct java_name){
		.function = text_cut(text, 0, open - 1),
		.file = text_cut(text, open + 1, number - 1),
		.line = is_line ? line : 0,
	};
	return true;
}

/* What the text behind an address says. */
static struct java_name split_name(struct str text)
{
	struct java_name name = { .function = text, .file = STR_LITERAL("") };
	bool is_closed = text.length > 0 && text.data[text.length - 1] == ')';
	if (is_closed && split_file_and_line(text, &name))
		return name;
	size_t open = is_closed ? find_parenthesis(text, text.length - 1, 0) : SIZE_MAX;
	if (open != SIZE_MAX) {
		name.function = text_cut(text, 0, open - 1);
		name.file = str_base_name(text_cut(text, open + 1, text.length - 1));
	} else if (text_contains(text, STR_LITERAL("generated stub/JIT"))) {
		name.function = STR_LITERAL("STUB");
	}
	return name;
}

/* Functions are one by name: the first file wins. `by_name` maps strings to functions. */
static uint32_t find_function(struct profile *profile, struct id_map *by_name, const struct java_name *name)
{
	uint32_t string_ix = profile_intern(profile, name->function);
	uint32_t function_ix = id_map_get(by_name, string_ix);
	if (function_ix != PROFILE_NONE)
		return function_ix;
	function_ix = profile->function_count;
	struct function *function = profile_add_function(profile);
	function->name = function->system_name = string_ix;
	function->filename = profile_intern(profile, name->file);
	id_map_set(by_name, string_ix, function_ix);
	return function_ix;
}

static enum status read_name(struct legacy *legacy, struct id_map *by_name, struct str line)
{
	if (!str_starts_with(line, STR_LITERAL("0x")))
		return STATUS_OK;
	size_t end = skip_hex(line, 2);
	size_t text = skip_blanks(line, end);
	if (end == 2 || text == end)
		return STATUS_OK;
	uint64_t address;
	if (parse_uint(text_cut(line, 2, end), 16, &address) != NUMBER_OK)
		return error_set(legacy->err, STATUS_FORMAT,
		                 "parsing sample %.*s: strconv.ParseUint: parsing \"%.*s\": value out of range", STR_ARG(line),
		                 STR_ARG(text_cut(line, 2, end)));
	uint32_t location_ix = legacy_find_location(legacy, address);
	if (location_ix == PROFILE_NONE)
		return STATUS_OK;
	struct profile *profile = &legacy->profile;
	struct java_name name = split_name(str_from(line, text));
	struct location *location = &profile->locations[location_ix];
	if (location->line_count == 0)
		location->line_start = profile_add_lines(profile, 1);
	location->line_count = 1;
	location->address = 0;
	profile->lines[location->line_start] = (struct line){
		.function_ix = find_function(profile, by_name, &name),
		.line = name.line,
	};
	return STATUS_OK;
}

enum status legacy_parse_java_names(struct legacy *legacy, struct str text)
{
	struct id_map by_name;
	id_map_init(&by_name, 0);
	enum status status = STATUS_OK;
	for (struct str line; status == STATUS_OK && next_line(&text, &line);)
		status = read_name(legacy, &by_name, line);
	if (status == STATUS_OK)
		status = read_name(legacy, &by_name, text_trim(text));
	id_map_release(&by_name);
	if (status != STATUS_OK)
		return status;
	legacy_renumber(legacy);
	legacy_assign_mappings(legacy);
	for (uint32_t i = 0; i < legacy->profile.location_count; i++)
		legacy->profile.locations[i].address = 0;
	return STATUS_OK;
}

enum status legacy_parse_java(struct legacy *legacy, struct str bytes)
{
	struct java java = { .legacy = legacy, .left = bytes };
	struct str title;
	if (!next_line(&java.left, &title))
		return LEGACY_PASS;
	java.is_heap = str_equal(title, STR_LITERAL("--- heapz 1 ---"));
	if (!java.is_heap && !str_equal(title, STR_LITERAL("--- contentionz 1 ---")))
		return LEGACY_PASS;
	enum status status = read_attributes(&java);
	if (status != STATUS_OK)
		return status;
	bool lacks_types = !java.has_types;
	if (lacks_types)
		set_types(&java, STR_LITERAL(""));
	status = read_rows(&java);
	if (status == STATUS_OK)
		status = legacy_parse_java_names(legacy, java.left);
	if (status != STATUS_OK || !lacks_types)
		return status;
	if (legacy->profile.sample_count > 0)
		return error_set(legacy->err, STATUS_INVALID, "missing sample type information");
	profile_set_sample_types(&legacy->profile, 0);
	return STATUS_OK;
}
