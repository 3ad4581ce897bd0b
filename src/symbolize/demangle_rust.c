/* demangle_rust.c - Rust names of the legacy scheme, which hides in C++'s: _ZN, names with their lengths, 17h and 16 hex
 * digits, E. */
#include <string.h>

#include "symbolize/demangle.h"

#define HASH_LENGTH 20 /* "17h", 16 digits and the closing E */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* C++ may end in the like of a hash; a real one has at least five different digits. */
static bool is_hash(const char *digits)
{
	unsigned seen = 0;
	for (int i = 0; i < 16; i++) {
		int digit = hex_digit(digits[i]);
		if (digit < 0)
			return false;
		seen |= 1u << digit;
	}
	return __builtin_popcount(seen) >= 5;
}

/* What an escape at the start of `text` stands for, 0 if it is none; *ret_length is its length. */
static char escape_char(struct str text, size_t *ret_length)
{
	static const struct {
		char code[5], c;
	} escapes[] = { { "$C$", ',' },  { "$SP$", '@' }, { "$BP$", '*' }, { "$RF$", '&' },
		            { "$LT$", '<' }, { "$GT$", '>' }, { "$LP$", '(' }, { "$RP$", ')' } };
	for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
		struct str code = str_of(escapes[i].code);
		if (str_starts_with(text, code)) {
			*ret_length = code.length;
			return escapes[i].c;
		}
	}
	if (text.length < 5 || text.data[1] != 'u' || text.data[4] != '$')
		return 0;
	int high = hex_digit(text.data[2]), low = hex_digit(text.data[3]);
	*ret_length = 5;
	if (high < 2 || high > 7 || low < 0)
		return 0;
	return (char)(unsigned char)(high << 4 | low);
}

static void append_identifier(struct str text, struct buffer *out)
{
	if (str_starts_with(text, STR_LITERAL("_$")))
		text = str_from(text, 1);
	while (text.length) {
		size_t length = 1;
		if (text.data[0] == '$') {
			char c = escape_char(text, &length);
			if (!c) {
				buffer_append_str(out, text);
				return;
			}
			buffer_append_char(out, c);
		} else if (str_starts_with(text, STR_LITERAL(".."))) {
			buffer_append_text(out, "::");
			length = 2;
		} else {
			buffer_append_char(out, text.data[0]);
		}
		text = str_from(text, length);
	}
}

/* Takes "3foo" from the front of *text. */
static bool take_identifier(struct str *text, struct str *ret_identifier)
{
	size_t length = 0;
	if (text->data[0] < '0' || text->data[0] > '9')
		return false;
	while (text->length && text->data[0] >= '0' && text->data[0] <= '9') {
		length = length * 10 + (size_t)(text->data[0] - '0');
		if (length > INT32_MAX / 10)
			return false;
		*text = str_from(*text, 1);
	}
	if (text->length && text->data[0] == '_' && length) {
		*text = str_from(*text, 1);
		length--;
	}
	if (length > text->length)
		return false;
	*ret_identifier = (struct str){ text->data, length };
	*text = str_from(*text, length);
	return true;
}

bool demangle_rust_legacy(struct str name, struct buffer *ret_text)
{
	/* What follows "E." is the compiler's. */
	for (size_t i = name.length; i-- > 1;) {
		if (name.data[i] == '.' && name.data[i - 1] == 'E') {
			name.length = i;
			break;
		}
	}
	if (!str_starts_with(name, STR_LITERAL("_ZN")) || name.length <= 3 + HASH_LENGTH)
		return false;
	const char *hash = name.data + name.length - HASH_LENGTH;
	if (memcmp(hash, "17h", 3) != 0 || hash[HASH_LENGTH - 1] != 'E' || !is_hash(hash + 3))
		return false;
	struct str rest = { name.data + 3, (size_t)(hash - name.data) - 3 }, identifier;
	size_t before = ret_text->length;
	while (rest.length) {
		if (!take_identifier(&rest, &identifier)) {
			demangle_undo(ret_text, before);
			return false;
		}
		if (ret_text->length > before)
			buffer_append_text(ret_text, "::");
		append_identifier(identifier, ret_text);
	}
	return true;
}
