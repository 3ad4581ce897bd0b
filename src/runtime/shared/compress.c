/* compress.c - gzip for what is served: wire/gzip.h's writer on memory of the work in progress. */
#include <libdeflate.h>

#include "runtime/shared/own_libc.h"
#include "wire/gzip.h"

/* Profiles are made on the profiled machine: two thirds of the time of level 6 for a few per cent of size. */
#define LEVEL 4

enum status gzip_deflate(struct str bytes, struct buffer *to, struct error *err)
{
	libdeflate_set_memory_allocator(own_malloc, own_free);
	struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(LEVEL);
	if (!compressor)
		return error_set(err, STATUS_NO_MEMORY, "no memory to compress");
	size_t bound = libdeflate_gzip_compress_bound(compressor, bytes.length);
	char *room = buffer_reserve(to, bound);
	size_t length = room ? libdeflate_gzip_compress(compressor, bytes.data, bytes.length, room, bound) : 0;
	libdeflate_free_compressor(compressor);
	if (!length)
		return error_set(err, STATUS_LIMIT, "the profile is too large");
	buffer_claim(to, length);
	return STATUS_OK;
}
