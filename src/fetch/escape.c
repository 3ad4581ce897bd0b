/* escape.c - percent-encoding. */
#include "fetch/escape.h"

#include <string.h>

static bool is_alphanumeric(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* The characters beside letters, digits and "-._~" that stand for themselves. */
static bool needs_escape(unsigned char c, enum url_part part)
{
	static const char *const plain[] = {
		[URL_PATH] = "$&+,/:;=@",          [URL_USER] = "$&+,;=", [URL_HOST] = "!$&'()*+,;=:[]<>\"",
		[URL_ZONE] = "!$&'()*+,;=:[]<>\"", [URL_QUERY] = "",      [URL_FRAGMENT] = "$&+,/:;=?@!()*",
	};
	return !is_alphanumeric(c) && (!c || (!strchr("-._~", c) && !strchr(plain[part], c)));
}

void url_escape(struct str text, enum url_part part, struct buffer *to)
{
	for (size_t i = 0; i < text.length; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if (!needs_escape(c, part))
			buffer_append_char(to, (char)c);
		else if (c == ' ' && part == URL_QUERY)
			buffer_append_char(to, '+');
		else
			buffer_printf(to, "%%%02X", c);
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte behind the '%' at text[at]; -1 if that is no escape, or not one for the part: a host may escape only what is
 * not ASCII (and the '%' of a zone), a zone nothing that it could not hold unescaped. */
static int escaped_byte(struct str text, size_t at, enum url_part part)
{
	if (at + 2 >= text.length)
		return -1;
	int high = hex_digit(text.data[at + 1]), low = hex_digit(text.data[at + 2]);
	if (high < 0 || low < 0)
		return -1;
	int byte = high << 4 | low;
	if (part == URL_HOST && high < 8 && byte != '%')
		return -1;
	if (part == URL_ZONE && byte != '%' && byte != ' ' && needs_escape((unsigned char)byte, URL_HOST))
		return -1;
	return byte;
}

bool url_unescape(struct str text, enum url_part part, struct buffer *to)
{
	size_t before = to->length;
	bool host = part == URL_HOST || part == URL_ZONE;
	for (size_t i = 0; i < text.length; i++) {
		unsigned char c = (unsigned char)text.data[i];
		int byte = c;
		if (c == '%') {
			byte = escaped_byte(text, i, part);
			i += 2;
		} else if (c == '+' && part == URL_QUERY) {
			byte = ' ';
		} else if (host && c < 0x80 && needs_escape(c, part)) {
			byte = -1;
		}
		if (byte < 0) {
			to->length = before;
			return false;
		}
		buffer_append_char(to, (char)byte);
	}
	return true;
}

bool url_valid_encoded(struct str text, enum url_part part)
{
	for (size_t i = 0; i < text.length; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if (!c || (!strchr("!$&'()*+,;=:@[]%", c) && needs_escape(c, part)))
			return false;
	}
	return true;
}
