/* legacy_count.c - Go's debug=1 texts of stacks that are only counted: goroutine, threadcreate, and those of programs.
 *
 * "NAME profile: total N", then "COUNT @ 0x... 0x..." for each stack. Go's comments behind each stack hold its names; they are
 * not read, as the reference does not.
 */
#include "profile/legacy_build.h"

/* Reads the title behind any comments, and gives the profile its type. */
static bool read_title(struct legacy *legacy, struct str line)
{
	size_t name_end = skip_nonblanks(line, 0);
	struct str left = str_from(line, name_end);
	const struct str middle = STR_LITERAL(" profile: total ");
	if (name_end == 0 || !str_starts_with(left, middle))
		return false;
	left = str_from(left, middle.length);
	if (left.length == 0 || skip_digits(left, 0) != left.length)
		return false;
	struct profile *profile = &legacy->profile;
	profile_set_sample_types(profile, 1);
	profile->sample_types[0] = (struct value_type){
		profile_intern(profile, text_cut(line, 0, name_end)),
		profile_intern_text(profile, "count"),
	};
	profile->period_type = profile->sample_types[0];
	profile->period = 1;
	return true;
}

/* Pushes one " 0x..." at a time up to the end of the line. */
static bool read_stack(struct legacy *legacy, struct str line, size_t at)
{
	do {
		struct str number;
		size_t behind = at;
		uint64_t address;
		if (at == line.length || line.data[at] != ' ' || !next_hex_number(line, &behind, &number) ||
		    number.data != line.data + at + 1 || parse_uint(number, 0, &address) != NUMBER_OK)
			return false;
		legacy_push(legacy, address - 1);
		at = behind;
	} while (at < line.length);
	return true;
}

static bool read_row(struct legacy *legacy, struct str line)
{
	size_t count_end = skip_digits(line, 0);
	int64_t count;
	if (parse_int(text_cut(line, 0, count_end), 0, &count) != NUMBER_OK ||
	    !str_starts_with(str_from(line, count_end), STR_LITERAL(" @")))
		return false;
	uint32_t start = legacy->profile.sample_location_count;
	if (!read_stack(legacy, line, count_end + 2))
		return false;
	legacy_add_sample(legacy, start)[0] = count;
	return true;
}

enum status legacy_parse_count(struct legacy *legacy, struct str bytes)
{
	struct line_scanner lines;
	scanner_init(&lines, bytes);
	while (scanner_next(&lines) && text_is_comment(lines.line))
		;
	enum status status = legacy_scan_failure(legacy, &lines);
	if (status != STATUS_OK)
		return status;
	if (!read_title(legacy, lines.line))
		return LEGACY_PASS;
	while (scanner_next(&lines)) {
		if (text_is_comment(lines.line))
			continue;
		if (str_starts_with(lines.line, STR_LITERAL("---")))
			break;
		if (!read_row(legacy, lines.line))
			return error_set(legacy->err, STATUS_FORMAT, "malformed profile format");
	}
	status = legacy_scan_failure(legacy, &lines);
	return status != STATUS_OK ? status : legacy_read_rest(legacy, &lines);
}
