/* punycode.c - RFC 3492, with '_' for '-'. */
#include "symbolize/punycode.h"

#include <stdint.h>
#include <string.h>

/* Every character beyond ASCII may move all others. */
#define LENGTH_MAX 512

/* One number of variable length (RFC 3492), up to the first digit below its threshold. */
static bool take_punycode(struct str *code, uint64_t bias, uint64_t *ret_value)
{
	uint64_t value = 0, weight = 1;
	for (uint64_t k = 36;; k += 36) {
		if (code->length == 0 || weight > UINT32_MAX)
			return false;
		char c = code->data[0];
		*code = str_from(*code, 1);
		uint64_t digit, threshold = k <= bias ? 1 : k > bias + 26 ? 26 : k - bias;
		if (c >= '0' && c <= '9')
			digit = (uint64_t)(c - '0') + 26;
		else if ((c | 32) >= 'a' && (c | 32) <= 'z')
			digit = (uint64_t)((c | 32) - 'a');
		else
			return false;
		value += digit * weight;
		if (digit < threshold)
			break;
		weight *= 36 - threshold;
	}
	*ret_value = value;
	return true;
}

static uint64_t adapted_bias(uint64_t delta, uint64_t count, bool is_first)
{
	delta /= is_first ? 700 : 2;
	delta += delta / count;
	uint64_t k = 0;
	for (; delta > 35 * 26 / 2; k += 36)
		delta /= 35;
	return k + 36 * delta / (delta + 38);
}

/* Appends the code point, which is not ASCII; false if it is none. */
static bool append_utf8(struct buffer *text, uint32_t c)
{
	if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
		return false;
	if (c < 0x80) {
		buffer_append_char(text, (char)c);
		return true;
	}
	unsigned tail = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	static const unsigned char leads[] = { 0, 0xC0, 0xE0, 0xF0 };
	buffer_append_char(text, (char)(unsigned char)(leads[tail] | c >> 6 * tail));
	while (tail-- > 0)
		buffer_append_char(text, (char)(unsigned char)(0x80 | (c >> 6 * tail & 0x3F)));
	return true;
}

bool punycode_decode(struct str identifier, struct buffer *ret_text)
{
	const char *mark = identifier.length ? memrchr(identifier.data, '_', identifier.length) : NULL;
	size_t count = mark ? (size_t)(mark - identifier.data) : 0;
	struct str code = mark ? str_from(identifier, count + 1) : identifier;
	if (identifier.length > LENGTH_MAX)
		return false;
	uint32_t chars[LENGTH_MAX];
	for (size_t i = 0; i < count; i++)
		chars[i] = (unsigned char)identifier.data[i];
	uint64_t place = 0, c = 0x80, bias = 72, delta;
	while (code.length) {
		if (!take_punycode(&code, bias, &delta))
			return false;
		bool is_first = place == 0;
		place += delta;
		count++;
		bias = adapted_bias(delta, count, is_first);
		c += place / count;
		place %= count;
		if (c > 0x10FFFF)
			return false;
		memmove(chars + place + 1, chars + place, (count - 1 - place) * sizeof(chars[0]));
		chars[place++] = (uint32_t)c;
	}
	for (size_t i = 0; i < count; i++) {
		if (!append_utf8(ret_text, chars[i]))
			return false;
	}
	return true;
}
