/* gzip.c - gzip by libdeflate, which is 2-3 times faster than zlib on whole buffers. zlib is asked only to explain what
 * is wrong with a file that libdeflate refused. */
#include "wire/gzip.h"

#include <libdeflate.h>
#include <zlib.h>

#define DEFLATE_LEVEL 6
/* deflate cannot expand more than this, so an announced size above it is a lie. */
#define MAX_EXPANSION 1032
#define MEMBER_MIN_SIZE 18

bool gzip_detect(struct str bytes)
{
	return bytes.length >= 2 && (unsigned char)bytes.data[0] == 0x1F && (unsigned char)bytes.data[1] == 0x8B;
}

/* What the last four bytes announce (size modulo 2^32 of the last member), made plausible. */
static size_t announced_size(struct str bytes)
{
	const unsigned char *tail = (const unsigned char *)bytes.data + bytes.length - 4;
	size_t size = (size_t)tail[0] | (size_t)tail[1] << 8 | (size_t)tail[2] << 16 | (size_t)tail[3] << 24;
	size_t most = bytes.length * MAX_EXPANSION;
	size_t least = bytes.length < 4096 ? 4096 : bytes.length;
	return size > most ? most : size < least ? least : size;
}

/* Goes through a refused file with zlib to say what is wrong with it. */
static enum status explain(struct str bytes, struct error *err)
{
	z_stream stream = { 0 };
	if (inflateInit2(&stream, 15 + 16) != Z_OK)
		return error_set(err, STATUS_NO_MEMORY, "out of memory");
	unsigned char scratch[32768];
	stream.next_in = (Bytef *)(uintptr_t)bytes.data;
	stream.avail_in = bytes.length > UINT32_MAX ? UINT32_MAX : (uInt)bytes.length;
	int result;
	do {
		stream.next_out = scratch;
		stream.avail_out = sizeof(scratch);
		result = inflate(&stream, Z_NO_FLUSH);
		if (result == Z_STREAM_END && stream.avail_in >= MEMBER_MIN_SIZE)
			result = inflateReset(&stream);
	} while (result == Z_OK && (stream.avail_in > 0 || stream.avail_out == 0));
	long long offset = (long long)(bytes.length - stream.avail_in);
	const char *reason = stream.msg ? stream.msg : "not a gzip stream";
	enum status status;
	if (result == Z_OK || result == Z_BUF_ERROR)
		status = error_set_at(err, offset, STATUS_FORMAT,
		                      "unexpected EOF: the gzip data is cut off after %zu bytes; fetch or copy it again",
		                      bytes.length);
	else
		status = error_set_at(err, offset, STATUS_FORMAT, "gzip: %s at byte %lld of %zu; the file is damaged", reason,
		                      offset, bytes.length);
	inflateEnd(&stream);
	return status;
}

/* Inflates one member; on success *ret_used is its compressed size. */
static enum status inflate_member(struct libdeflate_decompressor *decompressor, struct str bytes, struct buffer *to,
                                  size_t *ret_used, struct error *err)
{
	size_t room = announced_size(bytes);
	for (;;) {
		size_t allowed = to->ceiling - to->length;
		if (room > allowed)
			room = allowed;
		char *target = buffer_reserve(to, room);
		size_t made;
		switch (libdeflate_gzip_decompress_ex(decompressor, bytes.data, bytes.length, target, room, ret_used, &made)) {
		case LIBDEFLATE_SUCCESS:
			buffer_claim(to, made);
			return STATUS_OK;
		case LIBDEFLATE_INSUFFICIENT_SPACE:
			if (room == allowed)
				return error_set(err, STATUS_LIMIT, "it inflates to more than %zu bytes, the most that is accepted",
				                 to->ceiling);
			room *= 2;
			break;
		case LIBDEFLATE_BAD_DATA:
		case LIBDEFLATE_SHORT_OUTPUT:
			return explain(bytes, err);
		}
	}
}

enum status gzip_inflate(struct str bytes, struct buffer *to, struct error *err)
{
	if (bytes.length < MEMBER_MIN_SIZE)
		return explain(bytes, err);
	struct libdeflate_decompressor *decompressor = libdeflate_alloc_decompressor();
	if (!decompressor)
		return error_set(err, STATUS_NO_MEMORY, "out of memory");
	enum status status = STATUS_OK;
	while (status == STATUS_OK && bytes.length >= MEMBER_MIN_SIZE) {
		size_t used = 0;
		status = inflate_member(decompressor, bytes, to, &used, err);
		bytes = str_from(bytes, used);
	}
	libdeflate_free_decompressor(decompressor);
	if (status == STATUS_OK && bytes.length > 0)
		return error_set(err, STATUS_FORMAT, "gzip: invalid header: %zu stray bytes behind the data", bytes.length);
	return status;
}

enum status gzip_deflate(struct str bytes, struct buffer *to, struct error *err)
{
	struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(DEFLATE_LEVEL);
	if (!compressor)
		return error_set(err, STATUS_NO_MEMORY, "out of memory");
	size_t bound = libdeflate_gzip_compress_bound(compressor, bytes.length);
	char *target = buffer_reserve(to, bound);
	size_t made = target ? libdeflate_gzip_compress(compressor, bytes.data, bytes.length, target, bound) : 0;
	libdeflate_free_compressor(compressor);
	if (!made)
		return error_set(err, STATUS_LIMIT, "the compressed profile would be larger than %zu bytes", to->ceiling);
	buffer_claim(to, made);
	return STATUS_OK;
}
