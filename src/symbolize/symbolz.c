/* symbolz.c - asking the profiled program itself for names: what is asked and what is made of the answer. */
#include <ctype.h>
#include <stdlib.h>

#include "base/id_map.h"
#include "symbolize/functions.h"
#include "symbolize/symbolize.h"

bool symbolz_request(const struct profile *profile, const uint32_t *locations, size_t count, uint64_t shift,
                     struct buffer *ret_body)
{
	bool any = false;
	for (size_t i = 0; i < count; i++) {
		const struct location *location = &profile->locations[locations[i]];
		if (location->address == 0 || location->line_count)
			continue;
		buffer_printf(ret_body, "%s0x%lx", any ? "+" : "", location->address - shift);
		any = true;
	}
	return any;
}

/* Finds "0xHEX", blanks and a name in the line. */
static bool parse_answer_line(struct str line, uint64_t *ret_address, struct str *ret_name)
{
	for (size_t i = 0; i + 3 < line.length; i++) {
		if (line.data[i] != '0' || line.data[i + 1] != 'x')
			continue;
		uint64_t address = 0;
		size_t digits = i + 2, at = digits;
		for (; at < line.length && isxdigit((unsigned char)line.data[at]); at++) {
			char c = line.data[at];
			address = address << 4 | (uint64_t)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
		}
		size_t blanks = at;
		while (at < line.length && strchr(" \t\r\f\v", line.data[at]) && line.data[at])
			at++;
		if (blanks == digits || blanks - digits > 16 || at == blanks)
			continue;
		*ret_address = address;
		*ret_name = str_from(line, at);
		return true;
	}
	return false;
}

/* Takes the next whole line; what stands behind the last newline may be cut and is not one. */
static bool take_line(struct str *text, struct str *ret_line)
{
	const char *end = memchr(text->data, '\n', text->length);
	if (!end)
		return false;
	*ret_line = (struct str){ text->data, (size_t)(end - text->data) };
	*text = str_from(*text, ret_line->length + 1);
	return true;
}

void symbolz_apply(struct profile *profile, const uint32_t *locations, size_t count, uint64_t shift, struct str answer)
{
	struct function_table functions;
	struct id_map function_by_address;
	function_table_init(&functions, profile);
	id_map_init(&function_by_address, (uint32_t)count);
	uint64_t address;
	struct str line, name;
	while (take_line(&answer, &line)) {
		if (parse_answer_line(line, &address, &name))
			id_map_set(&function_by_address, address + shift,
			           function_table_add(&functions, profile_intern(profile, name), 0, 0));
	}
	for (size_t i = 0; i < count; i++) {
		struct location *location = &profile->locations[locations[i]];
		uint32_t function_ix = id_map_get(&function_by_address, location->address);
		if (function_ix == UINT32_MAX)
			continue;
		location->line_start = profile_add_lines(profile, 1);
		location->line_count = 1;
		profile->lines[location->line_start].function_ix = function_ix;
	}
	id_map_release(&function_by_address);
	function_table_release(&functions);
}
