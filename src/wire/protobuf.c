/* protobuf.c - the parts of the wire format that are not worth inlining. */
#include "wire/protobuf.h"

#define VARINT_MAX_BYTES 10

bool pb_varint_long(struct pb_reader *reader, uint64_t *ret_value)
{
	uint64_t value = 0;
	const uint8_t *at = reader->at;
	for (unsigned i = 0; i < VARINT_MAX_BYTES && at < reader->end; i++) {
		uint8_t byte = *at++;
		value |= (uint64_t)(byte & 0x7F) << (7 * i);
		if (byte < 0x80) {
			*ret_value = value;
			reader->at = at;
			return true;
		}
	}
	return false;
}

const char *pb_result_text(enum pb_result result)
{
	switch (result) {
	case PB_OK:
	case PB_END:
		return "no error";
	case PB_BAD_VARINT:
		return "bad varint";
	case PB_TRUNCATED:
		return "a field is longer than what is left";
	case PB_BAD_WIRE_TYPE:
		return "unknown wire type";
	case PB_TYPE_MISMATCH:
		return "a field has the wrong wire type";
	case PB_BAD_NUMBER:
		return "a field has the number 0";
	}
	return "unknown";
}

static size_t varint_bytes(uint64_t value, uint8_t to[VARINT_MAX_BYTES])
{
	size_t size = 0;
	while (value >= 0x80) {
		to[size++] = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	to[size++] = (uint8_t)value;
	return size;
}

void pb_put_varint(struct buffer *to, uint64_t value)
{
	uint8_t bytes[VARINT_MAX_BYTES];
	size_t size = varint_bytes(value, bytes);
	buffer_append(to, bytes, size);
}

void pb_put_uint(struct buffer *to, uint32_t number, uint64_t value)
{
	uint8_t bytes[2 * VARINT_MAX_BYTES];
	size_t size = varint_bytes((uint64_t)number << 3 | PB_VARINT, bytes);
	size += varint_bytes(value, bytes + size);
	buffer_append(to, bytes, size);
}

void pb_put_uint_nonzero(struct buffer *to, uint32_t number, uint64_t value)
{
	if (value)
		pb_put_uint(to, number, value);
}

void pb_put_bytes(struct buffer *to, uint32_t number, struct str bytes)
{
	pb_put_varint(to, (uint64_t)number << 3 | PB_BYTES);
	pb_put_varint(to, bytes.length);
	buffer_append_str(to, bytes);
}

size_t pb_begin_message(struct buffer *to, uint32_t number)
{
	pb_put_varint(to, (uint64_t)number << 3 | PB_BYTES);
	return to->length;
}

/* The length goes in front of what was written, which moves by the one byte (rarely more) that the length takes. */
void pb_end_message(struct buffer *to, size_t mark)
{
	if (to->overflow)
		return;
	uint8_t bytes[VARINT_MAX_BYTES];
	size_t content = to->length - mark;
	size_t size = varint_bytes(content, bytes);
	if (!buffer_reserve(to, size))
		return;
	memmove(to->data + mark + size, to->data + mark, content);
	memcpy(to->data + mark, bytes, size);
	buffer_claim(to, size);
}
