/* legacy_threads.c - the stacks of all threads as text (threadz).
 *
 * "--- threadz N ---", then for each thread "--- Thread ID (name: NAME/NUMBER) stack: ---" and lines with addresses.
 */
#include "profile/legacy_build.h"

static bool is_threadz_title(struct str line)
{
	const struct str start = STR_LITERAL("--- threadz ");
	for (size_t at = 0; (at = text_find(line, at, start)) < line.length;) {
		at += start.length;
		size_t end = skip_digits(line, at);
		if (end > at && str_starts_with(str_from(line, end), STR_LITERAL(" ---")))
			return true;
	}
	return false;
}

/* Where the first "--- Thread ID (name: " in the line ends; line.length if there is none. */
static size_t find_thread_name(struct str line)
{
	const struct str start = STR_LITERAL("--- Thread "), name = STR_LITERAL(" (name: ");
	for (size_t at = 0; (at = text_find(line, at, start)) < line.length;) {
		at += start.length;
		size_t end = skip_hex(line, at);
		if (end > at && str_starts_with(str_from(line, end), name))
			return end + name.length;
	}
	return line.length;
}

static bool is_thread_title(struct str line)
{
	const struct str end = STR_LITERAL(") stack: ---");
	size_t name = find_thread_name(line);
	for (size_t at = name; at < line.length && (at = text_find(line, at, end)) < line.length; at += end.length) {
		size_t digits = at;
		while (digits > name && is_digit(line.data[digits - 1]))
			digits--;
		if (digits < at && digits > name && line.data[digits - 1] == '/')
			return true;
	}
	return false;
}

/* Pushes the addresses of one thread; `ret_next` is the line behind it (the last one, at the end of the text). A thread that is
 * "same as previous" has none. */
static enum status read_thread(struct legacy *legacy, struct line_scanner *lines, struct str *ret_next)
{
	uint32_t start = legacy->profile.sample_location_count;
	bool same_as_previous = false;
	struct str line = STR_LITERAL("");
	while (scanner_next(lines)) {
		line = text_trim(lines->line);
		if (line.length == 0)
			continue;
		if (str_starts_with(line, STR_LITERAL("---")))
			break;
		if (text_contains(line, STR_LITERAL("same as previous thread"))) {
			same_as_previous = true;
			continue;
		}
		enum status status = legacy_push_numbers(legacy, line, line, start, ADJUST_CALLERS);
		if (status != STATUS_OK)
			return status;
	}
	*ret_next = line;
	if (same_as_previous)
		legacy->profile.sample_location_count = start;
	return legacy_scan_failure(legacy, lines);
}

static enum status read_threads(struct legacy *legacy, struct line_scanner *lines, struct str line)
{
	struct profile *profile = &legacy->profile;
	while (!legacy_announces_map(line) && !str_starts_with(line, STR_LITERAL("---- no stack trace for"))) {
		if (!is_thread_title(line))
			return LEGACY_PASS;
		uint32_t start = profile->sample_location_count;
		enum status status = read_thread(legacy, lines, &line);
		if (status != STATUS_OK)
			return status;
		if (profile->sample_location_count > start)
			legacy_add_sample(legacy, start)[0] = 1;
		else if (profile->sample_count > 0)
			profile_values(profile, profile->sample_count - 1)[0]++;
	}
	return STATUS_OK;
}

enum status legacy_parse_threads(struct legacy *legacy, struct str bytes)
{
	struct line_scanner lines;
	scanner_init(&lines, bytes);
	while (scanner_next(&lines) && text_is_comment(lines.line))
		;
	struct str line = lines.line;
	if (is_threadz_title(line)) {
		while (scanner_next(&lines)) {
			line = lines.line;
			if (legacy_announces_map(line) || str_starts_with(line, STR_LITERAL("-")))
				break;
		}
	} else if (!is_thread_title(line)) {
		return LEGACY_PASS;
	}
	legacy_set_types(legacy, 1, (const char *[]){ "thread", "count" });
	legacy_set_period(legacy, "thread", "count", 1);
	enum status status = read_threads(legacy, &lines, line);
	if (status == STATUS_OK)
		status = legacy_read_rest(legacy, &lines);
	if (status == STATUS_OK)
		legacy_drop_repeated_leaves(legacy);
	return status;
}
