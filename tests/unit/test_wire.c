/* test_wire.c - protobuf fields and gzip members, whole and broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/xalloc.h"
#include "wire/gzip.h"
#include "wire/protobuf.h"

/* --- reading protobuf ------------------------------------------------------------------------------------------------- */

/* Copies the bytes to a block of their size, so that AddressSanitizer sees a read behind them. */
static enum pb_result next_of(const char *bytes, size_t length, struct pb_field *ret_field)
{
	uint8_t *copy = xmalloc(length);
	memcpy(copy, bytes, length);
	struct pb_reader reader = pb_reader_of(copy, length);
	enum pb_result result = pb_next(&reader, ret_field);
	if (result == PB_OK && ret_field->wire_type == PB_BYTES)
		ret_field->data = (const uint8_t *)bytes + (ret_field->data - copy);
	free(copy);
	return result;
}

#define NEXT(bytes, field) next_of(bytes, sizeof(bytes) - 1, field)

static void varints_of_every_length_come_back(void **state)
{
	(void)state;
	struct buffer buffer;
	buffer_init(&buffer, 1000);
	for (unsigned bits = 0; bits < 64; bits++) {
		const uint64_t values[] = { (uint64_t)1 << bits, ((uint64_t)1 << bits) - 1, UINT64_MAX >> bits };
		for (size_t i = 0; i < 3; i++) {
			buffer_clear(&buffer);
			pb_put_varint(&buffer, values[i]);
			/* Once with bytes behind it (the fast paths) and once at the very end. */
			struct buffer exact;
			buffer_init(&exact, 1000);
			buffer_append(&exact, buffer.data, buffer.length);
			buffer_append_text(&buffer, "\xFF\xFF\xFF\xFF");
			uint64_t value = 0;
			struct pb_reader reader = pb_reader_of((const uint8_t *)buffer.data, buffer.length);
			assert_true(pb_varint(&reader, &value));
			assert_true(value == values[i]);
			assert_int_equal(reader.end - reader.at, 4);
			reader = pb_reader_of((const uint8_t *)exact.data, exact.length);
			assert_true(pb_varint(&reader, &value));
			assert_true(value == values[i]);
			assert_ptr_equal(reader.at, reader.end);
			buffer_release(&exact);
		}
	}
	buffer_release(&buffer);
}

static void varints_are_at_most_ten_bytes(void **state)
{
	(void)state;
	struct pb_field field;
	assert_int_equal(NEXT("\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", &field), PB_OK);
	assert_true(field.value == UINT64_MAX);
	assert_int_equal(NEXT("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", &field), PB_OK); /* long-winded zero */
	assert_true(field.value == 0);
	assert_int_equal(NEXT("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", &field), PB_BAD_VARINT);
	assert_int_equal(NEXT("\x08", &field), PB_BAD_VARINT);
	assert_int_equal(NEXT("\x08\x80", &field), PB_BAD_VARINT);
	assert_int_equal(NEXT("\x08\xFF\xFF\xFF", &field), PB_BAD_VARINT);
	assert_int_equal(NEXT("\x80", &field), PB_BAD_VARINT);
	assert_int_equal(NEXT("", &field), PB_END);
}

static void every_wire_type_is_read(void **state)
{
	(void)state;
	struct pb_field field;
	assert_int_equal(NEXT("\x98\x06\x2A", &field), PB_OK);
	assert_int_equal(field.number, 99);
	assert_int_equal(field.wire_type, PB_VARINT);
	assert_int_equal(field.value, 42);
	assert_int_equal(NEXT("\x11\x01\x02\x03\x04\x05\x06\x07\x88", &field), PB_OK);
	assert_int_equal(field.wire_type, PB_FIXED64);
	assert_true(field.value == 0x8807060504030201u);
	assert_int_equal(NEXT("\x15\x01\x02\x03\x84", &field), PB_OK);
	assert_int_equal(field.wire_type, PB_FIXED32);
	assert_true(field.value == 0x84030201u);
	static const char bytes[] = "\x1A\x03xyz";
	assert_int_equal(NEXT(bytes, &field), PB_OK);
	assert_int_equal(field.number, 3);
	assert_int_equal(field.length, 3);
	assert_ptr_equal(field.data, bytes + 2);
	assert_int_equal(NEXT("\x1A\x00", &field), PB_OK);
	assert_int_equal(field.length, 0);
}

static void broken_fields_are_told_apart(void **state)
{
	(void)state;
	struct pb_field field;
	for (char type = 3; type < 8; type++) {
		char bytes[9] = { (char)(1 << 3 | type) };
		if (type == PB_FIXED32)
			continue;
		assert_int_equal(next_of(bytes, sizeof(bytes), &field), PB_BAD_WIRE_TYPE);
	}
	assert_int_equal(NEXT("\x11\x01\x02\x03\x04\x05\x06\x07", &field), PB_TRUNCATED);
	assert_int_equal(NEXT("\x15\x01\x02\x03", &field), PB_TRUNCATED);
	assert_int_equal(NEXT("\x1A\x04xyz", &field), PB_TRUNCATED);
	/* A length near 2^64 must not wrap around. */
	assert_int_equal(NEXT("\x1A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01xyz", &field), PB_TRUNCATED);
	assert_int_equal(NEXT("\x1A\x80", &field), PB_BAD_VARINT);
	for (int result = PB_OK; result <= PB_TYPE_MISMATCH; result++)
		assert_true(strlen(pb_result_text((enum pb_result)result)) > 0);
}

/* --- writing protobuf ------------------------------------------------------------------------------------------------- */

static void nested_messages_get_their_lengths(void **state)
{
	(void)state;
	struct buffer buffer;
	buffer_init(&buffer, 10000);
	size_t outer = pb_begin_message(&buffer, 4);
	pb_put_uint(&buffer, 1, 0);
	pb_put_uint_nonzero(&buffer, 2, 0);
	pb_put_uint_nonzero(&buffer, 2, 300);
	size_t inner = pb_begin_message(&buffer, 3);
	pb_put_bytes(&buffer, 5, (struct str){ "a\0b", 3 });
	pb_end_message(&buffer, inner);
	size_t empty = pb_begin_message(&buffer, 16);
	pb_end_message(&buffer, empty);
	pb_end_message(&buffer, outer);
	static const char expected[] = "\x22\x0F\x08\x00\x10\xAC\x02\x1A\x05\x2A\x03"
								   "a\0b\x82\x01\x00";
	assert_int_equal(buffer.length, sizeof(expected) - 1);
	assert_memory_equal(buffer.data, expected, sizeof(expected) - 1);
	buffer_release(&buffer);
}

static void a_long_message_gets_a_long_length(void **state)
{
	(void)state;
	struct buffer buffer;
	buffer_init(&buffer, 100000);
	char filler[20000];
	memset(filler, 'f', sizeof(filler));
	size_t mark = pb_begin_message(&buffer, 1);
	pb_put_bytes(&buffer, 2, (struct str){ filler, sizeof(filler) });
	pb_end_message(&buffer, mark);
	struct pb_reader reader = pb_reader_of((const uint8_t *)buffer.data, buffer.length);
	struct pb_field field, inner;
	assert_int_equal(pb_next(&reader, &field), PB_OK);
	assert_int_equal(pb_next(&reader, &inner), PB_END);
	reader = pb_message(&field);
	assert_int_equal(pb_next(&reader, &inner), PB_OK);
	assert_int_equal(inner.length, sizeof(filler));
	assert_memory_equal(inner.data, filler, sizeof(filler));
	buffer_release(&buffer);
}

static void writing_stops_at_the_ceiling(void **state)
{
	(void)state;
	struct buffer buffer;
	buffer_init(&buffer, 8);
	size_t mark = pb_begin_message(&buffer, 1);
	pb_put_bytes(&buffer, 2, STR_LITERAL("much too long"));
	pb_end_message(&buffer, mark);
	assert_true(buffer.overflow);
	assert_true(buffer.length <= 8);
	buffer_release(&buffer);
	/* Room for the content but not for its length. */
	buffer_init(&buffer, 3);
	mark = pb_begin_message(&buffer, 1);
	buffer_append_text(&buffer, "ab");
	pb_end_message(&buffer, mark);
	assert_true(buffer.overflow);
	buffer_release(&buffer);
}

/* --- gzip ------------------------------------------------------------------------------------------------------------- */

static void deflate(struct buffer *to, struct str text)
{
	assert_int_equal(gzip_deflate(text, to, NULL), STATUS_OK);
}

static void gzip_members_are_joined(void **state)
{
	(void)state;
	struct buffer packed, plain;
	struct error err;
	buffer_init(&packed, BUFFER_UNLIMITED);
	buffer_init(&plain, BUFFER_UNLIMITED);
	deflate(&packed, STR_LITERAL("first "));
	assert_true(gzip_detect(buffer_str(&packed)));
	deflate(&packed, STR_LITERAL(""));
	deflate(&packed, STR_LITERAL("third"));
	assert_int_equal(gzip_inflate(buffer_str(&packed), &plain, &err), STATUS_OK);
	assert_string_equal(buffer_text(&plain), "first third");
	buffer_release(&packed);
	buffer_release(&plain);
	assert_false(gzip_detect(STR_LITERAL("\x1F")));
	assert_false(gzip_detect(STR_LITERAL("\x1F\x8C")));
	assert_false(gzip_detect(STR_LITERAL("")));
}

static void gzip_output_depends_on_input_alone(void **state)
{
	(void)state;
	struct buffer a, b;
	buffer_init(&a, BUFFER_UNLIMITED);
	buffer_init(&b, BUFFER_UNLIMITED);
	deflate(&a, STR_LITERAL("the same bytes"));
	deflate(&b, STR_LITERAL("the same bytes"));
	assert_int_equal(a.length, b.length);
	assert_memory_equal(a.data, b.data, a.length);
	assert_memory_equal(a.data + 3, "\0\0\0\0\0", 5); /* no name, no time */
	buffer_release(&a);
	buffer_release(&b);
}

/* Inflates a copy of exactly these bytes. */
static enum status inflate_copy(struct str bytes, size_t ceiling, struct error *err)
{
	char *copy = xmalloc(bytes.length);
	memcpy(copy, bytes.data, bytes.length);
	struct buffer plain;
	buffer_init(&plain, ceiling);
	enum status status = gzip_inflate((struct str){ copy, bytes.length }, &plain, err);
	buffer_release(&plain);
	free(copy);
	return status;
}

static void a_cut_file_is_told_from_a_damaged_one(void **state)
{
	(void)state;
	char text[5000];
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + (i * i + i / 7) % 26);
	struct buffer packed;
	buffer_init(&packed, BUFFER_UNLIMITED);
	deflate(&packed, (struct str){ text, sizeof(text) });
	struct error err;
	for (size_t length = 0; length < packed.length; length++) {
		assert_int_equal(inflate_copy((struct str){ packed.data, length }, BUFFER_UNLIMITED, &err), STATUS_FORMAT);
		assert_non_null(strstr(err.message, "unexpected EOF"));
	}
	packed.data[packed.length - 8] ^= 1; /* the checksum */
	assert_int_equal(inflate_copy(buffer_str(&packed), BUFFER_UNLIMITED, &err), STATUS_FORMAT);
	assert_non_null(strstr(err.message, "damaged"));
	packed.data[packed.length - 8] ^= 1;
	memset(packed.data + 10, 0xFF, 20);
	assert_int_equal(inflate_copy(buffer_str(&packed), BUFFER_UNLIMITED, &err), STATUS_FORMAT);
	assert_non_null(strstr(err.message, "damaged"));
	assert_int_equal(inflate_copy(STR_LITERAL("certainly not a gzip stream"), BUFFER_UNLIMITED, &err), STATUS_FORMAT);
	buffer_release(&packed);
}

static void bytes_behind_the_last_member_are_refused(void **state)
{
	(void)state;
	struct error err;
	struct buffer packed;
	buffer_init(&packed, BUFFER_UNLIMITED);
	deflate(&packed, STR_LITERAL("text"));
	buffer_append_text(&packed, "stray");
	assert_int_equal(inflate_copy(buffer_str(&packed), BUFFER_UNLIMITED, &err), STATUS_FORMAT);
	assert_non_null(strstr(err.message, "invalid header"));
	buffer_append_text(&packed, "and more, longer than a member at the least");
	assert_int_equal(inflate_copy(buffer_str(&packed), BUFFER_UNLIMITED, &err), STATUS_FORMAT);
	buffer_release(&packed);
}

static void inflating_stops_at_the_ceiling(void **state)
{
	(void)state;
	size_t size = 300000;
	char *zeros = xcalloc(size, 1);
	struct buffer packed;
	struct error err;
	buffer_init(&packed, BUFFER_UNLIMITED);
	deflate(&packed, (struct str){ zeros, size });
	free(zeros);
	assert_true(packed.length < 1000);
	assert_int_equal(inflate_copy(buffer_str(&packed), size, &err), STATUS_OK);
	assert_int_equal(inflate_copy(buffer_str(&packed), size - 1, &err), STATUS_LIMIT);
	assert_int_equal(inflate_copy(buffer_str(&packed), 0, &err), STATUS_LIMIT);
	assert_non_null(strstr(err.message, "more than 0 bytes"));
	/* Two members that fit alone but not together. */
	struct str once = buffer_str(&packed);
	struct buffer twice;
	buffer_init(&twice, BUFFER_UNLIMITED);
	buffer_append_str(&twice, once);
	buffer_append_str(&twice, once);
	assert_int_equal(inflate_copy(buffer_str(&twice), 2 * size - 1, &err), STATUS_LIMIT);
	assert_int_equal(inflate_copy(buffer_str(&twice), 2 * size, &err), STATUS_OK);
	/* A size in the last four bytes that is a lie costs no memory and is found out. */
	memset(twice.data + twice.length - 4, 0xFF, 4);
	assert_int_equal(inflate_copy(buffer_str(&twice), BUFFER_UNLIMITED, &err), STATUS_FORMAT);
	buffer_release(&twice);
	buffer_release(&packed);
}

static void deflating_stops_at_the_ceiling(void **state)
{
	(void)state;
	struct error err;
	struct buffer packed;
	buffer_init(&packed, 10);
	assert_int_equal(gzip_deflate(STR_LITERAL("does not fit into ten bytes"), &packed, &err), STATUS_LIMIT);
	assert_int_equal(packed.length, 0);
	buffer_release(&packed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(varints_of_every_length_come_back),
		cmocka_unit_test(varints_are_at_most_ten_bytes),
		cmocka_unit_test(every_wire_type_is_read),
		cmocka_unit_test(broken_fields_are_told_apart),
		cmocka_unit_test(nested_messages_get_their_lengths),
		cmocka_unit_test(a_long_message_gets_a_long_length),
		cmocka_unit_test(writing_stops_at_the_ceiling),
		cmocka_unit_test(gzip_members_are_joined),
		cmocka_unit_test(gzip_output_depends_on_input_alone),
		cmocka_unit_test(a_cut_file_is_told_from_a_damaged_one),
		cmocka_unit_test(bytes_behind_the_last_member_are_refused),
		cmocka_unit_test(inflating_stops_at_the_ceiling),
		cmocka_unit_test(deflating_stops_at_the_ceiling),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
