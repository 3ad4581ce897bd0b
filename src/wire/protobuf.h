/* protobuf.h - the protobuf wire format: varints, fields, messages. Knows no schema.
 *
 * Format: https://protobuf.dev/programming-guides/encoding/. The reader never reads behind its end and never
 * allocates; everything it hands out points into the bytes it was given.
 */
#ifndef CPPROF_WIRE_PROTOBUF_H
#define CPPROF_WIRE_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/str.h"

enum pb_wire_type {
	PB_VARINT = 0,
	PB_FIXED64 = 1,
	PB_BYTES = 2,
	PB_FIXED32 = 5,
};

enum pb_result {
	PB_OK,
	PB_END,           /* no more fields */
	PB_BAD_VARINT,    /* cut, or longer than ten bytes */
	PB_TRUNCATED,     /* the field ends behind its message */
	PB_BAD_WIRE_TYPE, /* 3, 4, 6 or 7 */
	PB_TYPE_MISMATCH, /* a known field of another wire type */
	PB_BAD_NUMBER,    /* field number 0, which no message has */
};

struct pb_reader {
	const uint8_t *at;
	const uint8_t *end;
};

struct pb_field {
	uint64_t number;
	uint64_t value;      /* of PB_VARINT, PB_FIXED64, PB_FIXED32 */
	const uint8_t *data; /* of PB_BYTES: the content; otherwise where the field begins */
	size_t length;
	enum pb_wire_type wire_type;
};

static inline struct pb_reader pb_reader_of(const uint8_t *data, size_t length)
{
	return (struct pb_reader){ data, data + length };
}

/* The slow half of pb_varint: more than one byte. */
bool pb_varint_long(struct pb_reader *reader, uint64_t *ret_value);

/* Reads one varint; false if it is cut or longer than ten bytes. */
static inline bool pb_varint(struct pb_reader *reader, uint64_t *ret_value)
{
	const uint8_t *at = reader->at;
	if (__builtin_expect(at < reader->end && *at < 0x80, 1)) {
		*ret_value = *at;
		reader->at = at + 1;
		return true;
	}
	/* Most ids and string indices take two or three bytes. */
	if (__builtin_expect(reader->end - at >= 3, 1)) {
		uint64_t low = (uint64_t)(at[0] & 0x7F) | (uint64_t)(at[1] & 0x7F) << 7;
		if (at[1] < 0x80) {
			*ret_value = low;
			reader->at = at + 2;
			return true;
		}
		if (at[2] < 0x80) {
			*ret_value = low | (uint64_t)at[2] << 14;
			reader->at = at + 3;
			return true;
		}
	}
	return pb_varint_long(reader, ret_value);
}

/* Reads the next field, whatever its number. */
static inline enum pb_result pb_next(struct pb_reader *reader, struct pb_field *ret_field)
{
	if (reader->at >= reader->end)
		return PB_END;
	uint64_t tag, value = 0;
	ret_field->data = reader->at;
	if (!pb_varint(reader, &tag))
		return PB_BAD_VARINT;
	ret_field->number = tag >> 3;
	ret_field->wire_type = (enum pb_wire_type)(tag & 7);
	size_t left;
	switch (ret_field->wire_type) {
	case PB_VARINT:
		if (!pb_varint(reader, &ret_field->value))
			return PB_BAD_VARINT;
		return PB_OK;
	case PB_BYTES:
		if (!pb_varint(reader, &value))
			return PB_BAD_VARINT;
		left = (size_t)(reader->end - reader->at);
		if (value > left)
			return PB_TRUNCATED;
		ret_field->data = reader->at;
		ret_field->length = (size_t)value;
		reader->at += value;
		return PB_OK;
	case PB_FIXED64:
	case PB_FIXED32:
		left = ret_field->wire_type == PB_FIXED64 ? 8 : 4;
		if ((size_t)(reader->end - reader->at) < left)
			return PB_TRUNCATED;
		memcpy(&value, reader->at, left); /* little-endian, as the format and the machine */
		ret_field->value = value;
		reader->at += left;
		return PB_OK;
	}
	return PB_BAD_WIRE_TYPE;
}

static inline struct pb_reader pb_message(const struct pb_field *field)
{
	return pb_reader_of(field->data, field->length);
}

/* What went wrong, for an error message. */
const char *pb_result_text(enum pb_result result);

/* --- writing ---------------------------------------------------------------------------------------------- */

void pb_put_varint(struct buffer *to, uint64_t value);
/* tag + varint, also for zero. */
void pb_put_uint(struct buffer *to, uint32_t number, uint64_t value);
/* The same, but nothing for zero, which is proto3's default. */
void pb_put_uint_nonzero(struct buffer *to, uint32_t number, uint64_t value);
/* tag + length + bytes. */
void pb_put_bytes(struct buffer *to, uint32_t number, struct str bytes);

/* A nested message is written in place: begin, write its fields, end. Ends must nest. */
size_t pb_begin_message(struct buffer *to, uint32_t number);
void pb_end_message(struct buffer *to, size_t mark);

#endif
