/* query.c - the small readers behind query.h. */
#include "runtime/serve/query.h"

#include <string.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Up to `c`, or all of it. *ret_rest: what follows `c`. */
static struct str cut(struct str text, char c, struct str *ret_rest)
{
	const char *found = text.length ? memchr(text.data, c, text.length) : NULL;
	size_t length = found ? (size_t)(found - text.data) : text.length;
	*ret_rest = str_from(text, found ? length + 1 : length);
	return (struct str){ text.data, length };
}

struct target target_split(struct str target)
{
	struct target split = { { target.data, 0 }, target, { target.data, 0 } };
	if (target.length && target.data[0] != '/' && target.data[0] != '*') {
		const char *slashes = memchr(target.data, '/', target.length);
		size_t scheme = slashes ? (size_t)(slashes - target.data) : 0;
		if (scheme > 1 && slashes[-1] == ':' && str_starts_with(str_from(target, scheme), STR_LITERAL("//"))) {
			struct str rest = str_from(target, scheme + 2);
			size_t length = 0;
			while (length < rest.length && rest.data[length] != '/' && rest.data[length] != '?')
				length++;
			split.authority = (struct str){ rest.data, length };
			split.path = str_from(rest, length);
		}
	}
	split.path = cut(split.path, '?', &split.query);
	return split;
}

enum decoded percent_decode(struct str text, bool plus_is_blank, char *to, size_t size, size_t *ret_length)
{
	size_t length = 0;
	bool too_long = false;
	for (size_t i = 0; i < text.length; i++) {
		char c = text.data[i];
		if (c == '%') {
			int high = i + 2 < text.length ? hex_digit(text.data[i + 1]) : -1;
			int low = i + 2 < text.length ? hex_digit(text.data[i + 2]) : -1;
			if (high < 0 || low < 0)
				return DECODED_BAD;
			c = (char)(high * 16 + low);
			i += 2;
		} else if (c == '+' && plus_is_blank) {
			c = ' ';
		}
		if (length + 1 < size)
			to[length++] = c;
		else
			too_long = true;
	}
	to[length] = '\0';
	if (too_long)
		return DECODED_TOO_LONG;
	*ret_length = length;
	return DECODED;
}

bool query_value(struct str query, const char *key, char *to, size_t size)
{
	while (query.length) {
		struct str value, pair = cut(query, '&', &query);
		if (pair.length == 0 || memchr(pair.data, ';', pair.length))
			continue;
		struct str name = cut(pair, '=', &value);
		char decoded[32];
		size_t length;
		if (percent_decode(name, true, decoded, sizeof(decoded), &length) != DECODED ||
		    !str_equal((struct str){ decoded, length }, str_of(key)))
			continue;
		enum decoded result = percent_decode(value, true, to, size, &length);
		if (result == DECODED_BAD)
			continue;
		if (result == DECODED)
			return true;
		break;
	}
	to[0] = '\0';
	return false;
}

bool parse_integer(const char *text, int64_t *ret_value)
{
	bool negative = *text == '-', fits = true;
	uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX, value = 0;
	text += *text == '-' || *text == '+';
	bool digits = *text != '\0';
	for (; *text >= '0' && *text <= '9'; text++) {
		uint64_t digit = (uint64_t)(*text - '0');
		fits = fits && value <= (limit - digit) / 10;
		value = fits ? value * 10 + digit : limit;
	}
	*ret_value = 0;
	if (!digits || *text)
		return false;
	*ret_value = negative ? (int64_t)(0 - value) : (int64_t)value;
	return fits;
}

static unsigned take_base(struct str *text)
{
	if (text->length < 2 || text->data[0] != '0')
		return 10;
	char mark = (char)(text->data[1] | 0x20);
	unsigned base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
	*text = str_from(*text, base ? 2 : 1);
	return base ? base : 8;
}

uint64_t parse_address(struct str text)
{
	unsigned base = take_base(&text);
	uint64_t value = 0;
	for (size_t i = 0; i < text.length; i++) {
		int digit = hex_digit(text.data[i]);
		if (digit < 0 || (unsigned)digit >= base || __builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, (unsigned)digit, &value))
			return 0;
	}
	return value;
}

static bool is_ipv4(struct str host)
{
	int parts = 0;
	while (host.length && parts < 5) {
		bool last = !memchr(host.data, '.', host.length);
		struct str part = cut(host, '.', &host);
		int value = 0;
		for (size_t i = 0; i < part.length && value < 256; i++)
			value = part.data[i] >= '0' && part.data[i] <= '9' ? value * 10 + part.data[i] - '0' : 256;
		if (part.length == 0 || value > 255 || (!last && host.length == 0))
			return false;
		parts++;
	}
	return parts == 4;
}

/* In brackets; nothing but an address can stand there. */
static bool is_ipv6(struct str host)
{
	if (host.length < 4 || host.data[0] != '[' || host.data[host.length - 1] != ']')
		return false;
	return memchr(host.data, ':', host.length) != NULL;
}

static bool is_localhost(struct str host)
{
	static const char name[] = "localhost";
	if (host.length != sizeof(name) - 1)
		return false;
	for (size_t i = 0; i < host.length; i++)
		if ((host.data[i] | 0x20) != name[i])
			return false;
	return true;
}

bool host_is_local(struct str host)
{
	size_t colon = host.length;
	while (colon && host.data[colon - 1] >= '0' && host.data[colon - 1] <= '9')
		colon--;
	if (colon && host.data[colon - 1] == ':')
		host.length = colon - 1;
	return host.length == 0 || is_ipv4(host) || is_ipv6(host) || is_localhost(host);
}
