/* fuzz_protobuf.c - any bytes through the reader of fields, taken apart into messages where that is possible; every field
 * is written again, and must come back as it was. */
#include <stdint.h>
#include <stdlib.h>

#include "wire/protobuf.h"

#define DEPTH_MAX 6

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* Fixed-width fields have no writer: no profile has them. */
static void write_again(const struct pb_field *field)
{
	uint32_t number = (uint32_t)(field->number & 0x1FFFFFFF);
	struct buffer bytes;
	buffer_init(&bytes, BUFFER_UNLIMITED);
	if (field->wire_type == PB_VARINT)
		pb_put_uint(&bytes, number, field->value);
	else if (field->wire_type == PB_BYTES)
		pb_put_bytes(&bytes, number, (struct str){ (const char *)field->data, field->length });
	size_t mark = pb_begin_message(&bytes, number);
	buffer_append(&bytes, field->data, field->wire_type == PB_BYTES ? field->length : 0);
	pb_end_message(&bytes, mark);

	struct pb_reader reader = pb_reader_of((const uint8_t *)bytes.data, bytes.length);
	struct pb_field seen;
	if (field->wire_type == PB_VARINT || field->wire_type == PB_BYTES) {
		require(pb_next(&reader, &seen) == PB_OK && seen.number == number && seen.wire_type == field->wire_type);
		if (field->wire_type == PB_VARINT)
			require(seen.value == field->value);
		else
			require(seen.length == field->length && memcmp(seen.data, field->data, seen.length) == 0);
	}
	require(pb_next(&reader, &seen) == PB_OK && seen.wire_type == PB_BYTES);
	require(pb_next(&reader, &seen) == PB_END);
	buffer_release(&bytes);
}

static void take_apart(struct pb_reader reader, int depth)
{
	struct pb_field field;
	enum pb_result result;
	while ((result = pb_next(&reader, &field)) == PB_OK) {
		require(reader.at <= reader.end);
		write_again(&field);
		if (field.wire_type != PB_BYTES || depth == DEPTH_MAX)
			continue;
		require(field.data + field.length == reader.at);
		struct pb_reader packed = pb_message(&field);
		uint64_t value;
		while (packed.at < packed.end && pb_varint(&packed, &value))
			require(packed.at <= packed.end);
		take_apart(pb_message(&field), depth + 1);
	}
	require(pb_result_text(result)[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	take_apart(pb_reader_of(data, size), 0);
	return 0;
}
