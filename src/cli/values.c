/* values.c - Go's spelling of numbers and truth values. */
#include "cli/values.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"

enum value_result value_parse_decimal(const char *text, int64_t *ret_value)
{
	const char *digits = text + (*text == '-' || *text == '+');
	if (!*digits || digits[strspn(digits, "0123456789")])
		return VALUE_SYNTAX;
	errno = 0;
	long long value = strtoll(text, NULL, 10);
	if (errno)
		return VALUE_RANGE;
	*ret_value = value;
	return VALUE_OK;
}

/* '_' stands between two digits, or between the base's prefix and a digit. */
static bool underscores_fit(const char *text, const char *prefix_end, bool is_hexadecimal)
{
	int (*is_digit)(int) = is_hexadecimal ? isxdigit : isdigit;
	for (const char *at = strchr(text, '_'); at; at = strchr(at + 1, '_')) {
		bool after = at > text && (is_digit((unsigned char)at[-1]) || at == prefix_end);
		if (!after || !is_digit((unsigned char)at[1]))
			return false;
	}
	return true;
}

static char *without_underscores(const char *text)
{
	char *copy = xstrdup(text), *to = copy;
	for (const char *from = text; *from; from++) {
		if (*from != '_')
			*to++ = *from;
	}
	*to = '\0';
	return copy;
}

enum value_result value_parse_int(const char *text, int64_t *ret_value)
{
	static const char all_digits[] = "0123456789abcdefABCDEF";
	bool negative = *text == '-';
	const char *number = text + (*text == '-' || *text == '+'), *prefix_end = number;
	int base = 10;
	if (number[0] == '0' && number[1]) {
		int letter = tolower((unsigned char)number[1]);
		base = letter == 'x' ? 16 : letter == 'b' ? 2 : 8;
		prefix_end += letter == 'x' || letter == 'b' || letter == 'o' ? 2 : 1;
	}
	size_t digit_kinds = base == 16 ? sizeof(all_digits) - 1 : (size_t)base;
	char *digits = without_underscores(prefix_end);
	bool fits =
			*digits && strspn(digits, all_digits) == strlen(digits) && underscores_fit(number, prefix_end, base == 16);
	for (const char *at = digits; fits && *at; at++)
		fits = memchr(all_digits, *at, digit_kinds) != NULL;
	errno = 0;
	unsigned long long magnitude = fits ? strtoull(digits, NULL, base) : 0;
	bool in_range = errno == 0 && magnitude <= (negative ? (1ull << 63) : (1ull << 63) - 1);
	free(digits);
	if (!fits)
		return VALUE_SYNTAX;
	if (!in_range)
		return VALUE_RANGE;
	*ret_value = (int64_t)(negative ? 0 - magnitude : magnitude);
	return VALUE_OK;
}

/* strtod takes more than Go does: blanks in front, "nan(...)", hexadecimal numbers without an exponent. */
static bool is_float_syntax(const char *text)
{
	const char *number = text + (*text == '-' || *text == '+');
	if (strcasecmp(number, "inf") == 0 || strcasecmp(number, "infinity") == 0 || strcasecmp(number, "nan") == 0)
		return true;
	if (number[0] == '0' && tolower((unsigned char)number[1]) == 'x')
		return strpbrk(number, "pP") && isxdigit((unsigned char)number[2 + (number[2] == '.')]);
	return isdigit((unsigned char)number[*number == '.']);
}

enum value_result value_parse_float(const char *text, double *ret_value)
{
	const char *x = strpbrk(text, "xX");
	if (!is_float_syntax(text) || !underscores_fit(text, x ? x + 1 : NULL, x != NULL))
		return VALUE_SYNTAX;
	char *plain = without_underscores(text), *end;
	errno = 0;
	double value = strtod(plain, &end);
	bool whole = *end == '\0';
	free(plain);
	if (!whole)
		return VALUE_SYNTAX;
	if (errno == ERANGE && isinf(value))
		return VALUE_RANGE;
	*ret_value = value;
	return VALUE_OK;
}

bool value_parse_bool(const char *text, bool *ret_value)
{
	static const char *const words[2][6] = { { "0", "f", "F", "FALSE", "false", "False" },
		                                     { "1", "t", "T", "TRUE", "true", "True" } };
	for (int value = 0; value < 2; value++) {
		for (size_t i = 0; i < 6; i++) {
			if (strcmp(text, words[value][i]) == 0) {
				*ret_value = value;
				return true;
			}
		}
	}
	return false;
}

static void append_escaped(struct buffer *to, const char *bytes, size_t size, uint32_t character)
{
	static const char names[] = "abtnvfr"; /* of 7 to 13 */
	bool is_bad = character == UTF8_BAD && size == 1;
	if (is_bad || character < ' ' || character == 0x7F) {
		if (!is_bad && character >= 7 && character <= 13)
			buffer_printf(to, "\\%c", names[character - 7]);
		else
			buffer_printf(to, "\\x%02x", (unsigned char)*bytes);
	} else if (character == '"' || character == '\\') {
		buffer_printf(to, "\\%c", (char)character);
	} else if (character >= 0x80 && character < 0xA1) {
		buffer_printf(to, "\\u%04x", character);
	} else {
		buffer_append(to, bytes, size);
	}
}

char *value_quote(const char *text)
{
	struct buffer quoted;
	buffer_init(&quoted, BUFFER_UNLIMITED);
	buffer_append_char(&quoted, '"');
	for (struct str left = str_of(text); left.length > 0;) {
		size_t size;
		uint32_t character = utf8_decode(left, &size);
		append_escaped(&quoted, left.data, size, character);
		left = str_from(left, size);
	}
	buffer_append_char(&quoted, '"');
	return buffer_take(&quoted, NULL);
}

#define FLOAT_DIGITS_MAX 17
#define FLOAT_EXPONENT_FROM 6 /* written with an exponent from here on */

void value_append_float(struct buffer *to, double value)
{
	if (!isfinite(value)) {
		buffer_append_text(to, isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
		return;
	}
	char text[64];
	int precision = 0;
	do {
		snprintf(text, sizeof(text), "%.*e", precision, value);
	} while (strtod(text, NULL) != value && ++precision < FLOAT_DIGITS_MAX);
	int exponent = atoi(strchr(text, 'e') + 1);
	if (exponent < -4 || exponent >= FLOAT_EXPONENT_FROM)
		buffer_append_text(to, text);
	else
		buffer_printf(to, "%.*f", precision > exponent ? precision - exponent : 0, value);
}
