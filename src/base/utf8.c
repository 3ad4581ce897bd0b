/* utf8.c - decoding and counting UTF-8 (Unicode standard, table 3-7: well-formed byte sequences). */
#include "base/utf8.h"

uint32_t utf8_decode(struct str text, size_t *ret_size)
{
	const unsigned char *bytes = (const unsigned char *)text.data;
	unsigned char lead = bytes[0];
	*ret_size = 1;
	if (lead < 0x80)
		return lead;
	size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
	if (lead < 0xC2 || lead > 0xF4 || text.length < size)
		return UTF8_BAD;
	/* Only the second byte has a narrower range for some lead bytes. */
	unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
	unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
	if (bytes[1] < low || bytes[1] > high)
		return UTF8_BAD;
	uint32_t character = lead & (0xFFu >> (size + 1));
	character = character << 6 | (bytes[1] & 0x3Fu);
	for (size_t i = 2; i < size; i++) {
		if ((bytes[i] & 0xC0) != 0x80)
			return UTF8_BAD;
		character = character << 6 | (bytes[i] & 0x3Fu);
	}
	*ret_size = size;
	return character;
}

size_t utf8_encode(uint32_t character, char to[4])
{
	if (character < 0x80) {
		to[0] = (char)character;
		return 1;
	}
	size_t size = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
	for (size_t i = size - 1; i > 0; i--) {
		to[i] = (char)(0x80 | (character & 0x3F));
		character >>= 6;
	}
	to[0] = (char)((0xF00u >> size & 0xF0u) | character);
	return size;
}

size_t utf8_count(struct str text)
{
	size_t count = 0;
	while (text.length > 0) {
		size_t size = 1;
		if ((unsigned char)text.data[0] >= 0x80)
			utf8_decode(text, &size);
		text = str_from(text, size);
		count++;
	}
	return count;
}
