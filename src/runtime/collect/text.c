/* text.c - UTF-8, quotes, columns. */
#include "runtime/collect/text.h"

#include <string.h>

#include "runtime/shared/region.h"

#define TAB 8u

/* Bytes of the valid character at `text`, 0 = none begins here. RFC 3629, section 4. */
static size_t character_size(const unsigned char *text)
{
	unsigned char lead = text[0], low = 0x80, high = 0xBF;
	size_t size;
	if (lead < 0x80)
		return 1;
	if (lead >= 0xC2 && lead <= 0xDF) {
		size = 2;
	} else if (lead >= 0xE0 && lead <= 0xEF) {
		size = 3;
		low = lead == 0xE0 ? 0xA0 : low;
		high = lead == 0xED ? 0x9F : high;
	} else if (lead >= 0xF0 && lead <= 0xF4) {
		size = 4;
		low = lead == 0xF0 ? 0x90 : low;
		high = lead == 0xF4 ? 0x8F : high;
	} else {
		return 0;
	}
	if (text[1] < low || text[1] > high)
		return 0;
	for (size_t i = 2; i < size; i++) {
		if (text[i] < 0x80 || text[i] > 0xBF)
			return 0;
	}
	return size;
}

static size_t count_bad(const unsigned char *text)
{
	size_t bad = 0, size;
	for (; *text; text += size ? size : 1) {
		size = character_size(text);
		bad += size == 0;
	}
	return bad;
}

const char *text_valid(const char *text)
{
	if (!text)
		return "";
	const unsigned char *from = (const unsigned char *)text;
	size_t bad = count_bad(from);
	if (!bad)
		return text;
	char *copy = work_alloc(strlen(text) + 2 * bad + 1), *to = copy;
	for (size_t size; *from; from += size) {
		size = character_size(from);
		if (size) {
			memcpy(to, from, size);
			to += size;
		} else {
			memcpy(to, "\xEF\xBF\xBD", 3);
			to += 3;
			size = 1;
		}
	}
	*to = '\0';
	return copy;
}

void text_append_quoted(struct buffer *to, const char *text)
{
	buffer_append_char(to, '"');
	for (const char *at = text_valid(text); *at; at++) {
		unsigned char c = (unsigned char)*at;
		if (c == '"' || c == '\\')
			buffer_printf(to, "\\%c", c);
		else if (c == '\n')
			buffer_append_text(to, "\\n");
		else if (c == '\t')
			buffer_append_text(to, "\\t");
		else if (c == '\r')
			buffer_append_text(to, "\\r");
		else if (c < 0x20 || c == 0x7F)
			buffer_printf(to, "\\x%02x", c);
		else
			buffer_append_char(to, (char)c);
	}
	buffer_append_char(to, '"');
}

/* --- columns -------------------------------------------------------------------------------------------------------- */

/* Characters, not bytes. */
static uint32_t width_of(const char *cell)
{
	uint32_t width = 0;
	for (; *cell; cell++)
		width += ((unsigned char)*cell & 0xC0) != 0x80;
	return width;
}

/* Whether another cell follows: only then is this one part of a column. */
static bool is_column(const struct text_line *line, uint32_t cell)
{
	return cell + 1 < TEXT_CELLS_MAX && line->cells[cell] && line->cells[cell + 1];
}

static void measure(const struct text_line *lines, uint32_t count, uint32_t cell, uint32_t *widths)
{
	for (uint32_t first = 0, end; first < count; first = end) {
		uint32_t width = 0;
		for (end = first; end < count && is_column(&lines[end], cell); end++) {
			uint32_t one = width_of(lines[end].cells[cell]);
			width = one > width ? one : width;
		}
		for (uint32_t i = first; i < end; i++)
			widths[i] = (width + 1 + TAB - 1) / TAB * TAB;
		end += end == first;
	}
}

void text_append_columns(struct buffer *to, const struct text_line *lines, uint32_t count)
{
	uint32_t *widths[TEXT_CELLS_MAX - 1];
	for (uint32_t cell = 0; cell + 1 < TEXT_CELLS_MAX; cell++) {
		widths[cell] = work_alloc_array(count, sizeof(**widths));
		measure(lines, count, cell, widths[cell]);
	}
	for (uint32_t i = 0; i < count; i++) {
		buffer_append_text(to, "#\t");
		for (uint32_t cell = 0; cell < TEXT_CELLS_MAX && lines[i].cells[cell]; cell++) {
			buffer_append_text(to, lines[i].cells[cell]);
			if (!is_column(&lines[i], cell))
				break;
			uint32_t missing = widths[cell][i] - width_of(lines[i].cells[cell]);
			for (uint32_t tabs = (missing + TAB - 1) / TAB; tabs; tabs--)
				buffer_append_char(to, '\t');
		}
		buffer_append_char(to, '\n');
	}
}
