/* legacy_maps.c - the memory map at the end of a legacy profile: lines of /proc/PID/maps or a shorter notation, variables
 * ("name=value", then $name), prefixes of logs. What is made of the entries is in legacy_mappings.c.
 *
 * The two notations are what two regular expressions of the reference accept; where those would go back and try again, the
 * comments here say which other readings there are.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "profile/legacy_build.h"

#define MAPPING_CEILING ((uint32_t)1 << 18) /* Linux allows 65530 by default */
#define VARIABLE_CEILING ((size_t)1 << 16)
/* Variables may multiply the text, once more with each that is made of others. */
#define WORK_CEILING ((uint64_t)1 << 28)

struct variable {
	struct str name; /* with its '$' */
	struct str value;
};

struct map_reader {
	struct legacy *legacy;
	struct arena arena; /* of the variables */
	struct variable *variables;
	size_t variable_count, variable_capacity;
	uint64_t work; /* bytes compared and copied for variables so far */
	struct buffer expanded;
};

/* --- one entry -------------------------------------------------------------------------------------------------- */

struct map_entry {
	struct str start, limit, permissions, file, offset, build_id; /* empty if not there */
};

static size_t skip_0x(struct str line, size_t at)
{
	bool is_prefix =
			at + 2 < line.length && line.data[at] == '0' && line.data[at + 1] == 'x' && is_hex(line.data[at + 2]);
	return is_prefix ? at + 2 : at;
}

/* Two numbers with a blank or '-' between them, and the ':' that may follow; returns where that ends, or 0. */
static size_t match_range(struct str line, struct map_entry *entry)
{
	size_t start = skip_0x(line, skip_blanks(line, 0));
	size_t start_end = skip_hex(line, start);
	if (start_end == start)
		return 0;
	entry->start = text_cut(line, start, start_end);
	size_t at = start_end;
	if (at < line.length && line.data[at] == '-')
		at++;
	size_t limit = skip_0x(line, skip_blanks(line, at));
	size_t limit_end = skip_hex(line, limit);
	if (limit_end == limit)
		return 0;
	entry->limit = text_cut(line, limit, limit_end);
	return limit_end < line.length && line.data[limit_end] == ':' ? limit_end + 1 : limit_end;
}

/* The other reading of a range: nothing stands between the numbers, and the second is the last digit of the run (or what
 * follows it, if that digit is the 0 of 0x). */
static size_t match_split_range(struct str line, struct map_entry *entry)
{
	size_t start = skip_0x(line, skip_blanks(line, 0));
	size_t end = skip_hex(line, start);
	if (end - start < 2)
		return 0;
	entry->start = text_cut(line, start, end - 1);
	size_t limit = skip_0x(line, end - 1);
	size_t limit_end = skip_hex(line, limit);
	entry->limit = text_cut(line, limit, limit_end);
	return limit_end < line.length && line.data[limit_end] == ':' ? limit_end + 1 : limit_end;
}

/* Blanks and then a run that `skip` knows; returns where it ends, or `at` if either is missing. */
static size_t match_field(struct str line, size_t at, size_t (*skip)(struct str, size_t), struct str *ret_field)
{
	size_t start = skip_blanks(line, at);
	size_t end = skip(line, start);
	if (start == at || end == start)
		return at;
	*ret_field = text_cut(line, start, end);
	return end;
}

static bool is_permission(char c)
{
	return c == '-' || c == 'r' || c == 'w' || c == 'x' || c == 'p';
}

static size_t skip_permissions(struct str line, size_t at)
{
	while (at < line.length && is_permission(line.data[at]))
		at++;
	return at;
}

/* What follows the range in /proc/PID/maps: [permissions] [offset] MAJOR:MINOR INODE [file]. */
static bool match_proc_rest(struct str line, size_t at, struct map_entry *entry)
{
	struct str field, file;
	entry->permissions = entry->offset = entry->file = STR_LITERAL("");
	at = match_field(line, at, skip_permissions, &entry->permissions);
	size_t end = match_field(line, at, skip_hex, &field);
	if (end < line.length && line.data[end] != ':') {
		if (end == at)
			return false;
		entry->offset = field;
		at = end;
		end = match_field(line, at, skip_hex, &field);
	}
	if (end == at || end == line.length || line.data[end] != ':')
		return false;
	size_t minor = end + 1, minor_end = skip_hex(line, minor);
	size_t inode_end = match_field(line, minor_end, skip_digits, &field);
	if (minor_end == minor || inode_end == minor_end)
		return false;
	if (match_field(line, inode_end, skip_nonblanks, &file) > inode_end)
		entry->file = file;
	return true;
}

/* "(@OFFSET)" behind blanks. */
static size_t match_at_offset(struct str line, size_t at, struct str *ret_offset)
{
	const struct str open = STR_LITERAL("(@");
	size_t start = skip_blanks(line, at);
	if (start == at || !str_starts_with(str_from(line, start), open))
		return at;
	size_t end = skip_hex(line, start + open.length);
	if (end == start + open.length || end == line.length || line.data[end] != ')')
		return at;
	*ret_offset = text_cut(line, start + open.length, end);
	return end + 1;
}

/* The shorter notation: [permissions] [file] [(@offset)] [build id]; whatever follows is ignored. */
static void match_brief_rest(struct str line, size_t at, struct map_entry *entry)
{
	entry->permissions = entry->file = entry->offset = entry->build_id = STR_LITERAL("");
	at = match_field(line, at, skip_permissions, &entry->permissions);
	at = match_field(line, at, skip_nonblanks, &entry->file);
	at = match_at_offset(line, at, &entry->offset);
	match_field(line, at, skip_hex, &entry->build_id);
}

static bool match_entry(struct str line, struct map_entry *ret_entry)
{
	*ret_entry = (struct map_entry){ .build_id = STR_LITERAL("") };
	size_t end = match_range(line, ret_entry);
	if (end && match_proc_rest(line, end, ret_entry))
		return true;
	size_t split_end = match_split_range(line, ret_entry);
	if (split_end && match_proc_rest(line, split_end, ret_entry))
		return true;
	end = match_range(line, ret_entry);
	if (!end)
		end = match_split_range(line, ret_entry);
	if (end)
		match_brief_rest(line, end, ret_entry);
	return end != 0;
}

/* Adds the mapping of the line, unless it has no code. False if the line is no entry. */
static bool read_entry(struct profile *profile, struct str line)
{
	struct map_entry entry;
	if (!match_entry(line, &entry))
		return false;
	if (entry.permissions.length > 0 && !memchr(entry.permissions.data, 'x', entry.permissions.length))
		return true;
	struct mapping mapping = { 0 };
	if (parse_uint(entry.start, 16, &mapping.start) != NUMBER_OK ||
	    parse_uint(entry.limit, 16, &mapping.limit) != NUMBER_OK ||
	    (entry.offset.length > 0 && parse_uint(entry.offset, 16, &mapping.offset) != NUMBER_OK))
		return false;
	mapping.file = profile_intern(profile, entry.file);
	mapping.build_id = profile_intern(profile, entry.build_id);
	*profile_add_mapping(profile) = mapping;
	return true;
}

/* --- lines ------------------------------------------------------------------------------------------------------ */

/* Takes "... file:line] " away, which logs put in front. */
static struct str without_log_prefix(struct str line)
{
	size_t end = 0;
	while (end < line.length && line.data[end] != '[' && line.data[end] != ']')
		end++;
	size_t digits = end;
	while (digits > 0 && is_digit(line.data[digits - 1]))
		digits--;
	bool is_prefix = end + 1 < line.length && line.data[end] == ']' && is_blank(line.data[end + 1]) && digits < end &&
	                 digits >= 2 && line.data[digits - 1] == ':';
	return is_prefix ? str_from(line, end + 2) : line;
}

/* The variable that stands at the start of the text: the one defined first wins. */
static const struct variable *find_variable(struct map_reader *reader, struct str text)
{
	for (size_t i = 0; i < reader->variable_count; i++) {
		const struct variable *variable = &reader->variables[i];
		reader->work += 1 + variable->name.length / 16;
		if (str_starts_with(text, variable->name))
			return variable;
		if (reader->work > WORK_CEILING)
			return NULL;
	}
	return NULL;
}

static bool expand_line(struct map_reader *reader, struct str *line)
{
	if (reader->variable_count == 0 || !memchr(line->data, '$', line->length))
		return true;
	buffer_clear(&reader->expanded);
	for (size_t at = 0; at < line->length;) {
		size_t dollar = text_find(*line, at, STR_LITERAL("$"));
		buffer_append(&reader->expanded, line->data + at, dollar - at);
		if (dollar == line->length)
			break;
		const struct variable *variable = find_variable(reader, str_from(*line, dollar));
		if (variable)
			buffer_append_str(&reader->expanded, variable->value);
		else
			buffer_append_char(&reader->expanded, '$');
		at = dollar + (variable ? variable->name.length : 1);
		reader->work += variable ? variable->value.length : 0;
		if (reader->expanded.overflow || reader->work > WORK_CEILING)
			return false;
	}
	*line = buffer_str(&reader->expanded);
	return true;
}

/* "name=value" makes a variable; any other line is ignored. False if there are too many. */
static bool read_variable(struct map_reader *reader, struct str line)
{
	size_t equals = text_find(line, 0, STR_LITERAL("="));
	if (equals == line.length)
		return true;
	if (reader->variable_count == VARIABLE_CEILING)
		return false;
	struct buffer name;
	buffer_init(&name, BUFFER_UNLIMITED);
	buffer_append_char(&name, '$');
	buffer_append_str(&name, text_trim(text_cut(line, 0, equals)));
	reader->variables =
			xgrow(reader->variables, reader->variable_count, &reader->variable_capacity, sizeof(*reader->variables));
	reader->variables[reader->variable_count++] = (struct variable){
		arena_copy(&reader->arena, buffer_str(&name)),
		arena_copy(&reader->arena, text_trim(str_from(line, equals + 1))),
	};
	buffer_release(&name);
	return true;
}

static enum status read_lines(struct map_reader *reader, struct line_scanner *lines)
{
	struct legacy *legacy = reader->legacy;
	while (scanner_next(lines)) {
		struct str line = without_log_prefix(lines->line);
		if (!expand_line(reader, &line))
			return error_set(legacy->err, STATUS_LIMIT, "variables of the memory map make its lines too long");
		if (legacy->profile.mapping_count == MAPPING_CEILING)
			return error_set(legacy->err, STATUS_LIMIT, "more than %u entries in the memory map", MAPPING_CEILING);
		if (!read_entry(&legacy->profile, line) && !read_variable(reader, line))
			return error_set(legacy->err, STATUS_LIMIT, "more than %zu variables in the memory map", VARIABLE_CEILING);
	}
	return legacy_scan_failure(legacy, lines);
}

enum status legacy_read_map(struct legacy *legacy, struct line_scanner *lines)
{
	struct map_reader reader = { .legacy = legacy };
	arena_init(&reader.arena);
	buffer_init(&reader.expanded, LINE_CEILING);
	enum status status = read_lines(&reader, lines);
	arena_release(&reader.arena);
	buffer_release(&reader.expanded);
	free(reader.variables);
	if (status != STATUS_OK)
		return status;
	legacy_massage_mappings(legacy);
	legacy_renumber(legacy);
	legacy_assign_mappings(legacy);
	return STATUS_OK;
}

bool legacy_announces_map(struct str line)
{
	return text_contains(line, STR_LITERAL("--- Memory map: ---")) ||
	       text_contains(line, STR_LITERAL("MAPPED_LIBRARIES:"));
}

enum status legacy_read_rest(struct legacy *legacy, struct line_scanner *lines)
{
	while (!legacy_announces_map(lines->line) && scanner_next(lines))
		;
	enum status status = legacy_scan_failure(legacy, lines);
	return status != STATUS_OK ? status : legacy_read_map(legacy, lines);
}
