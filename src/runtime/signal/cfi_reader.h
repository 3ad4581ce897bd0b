/* cfi_reader.h - numbers out of a stretch of bytes, never past its end: what .eh_frame and its expressions are read
 * with.
 */
#ifndef CPPROF_RUNTIME_SIGNAL_CFI_READER_H
#define CPPROF_RUNTIME_SIGNAL_CFI_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cfi_reader {
	const uint8_t *at, *end;
	uintptr_t moved; /* the bytes are a copy: at + moved is where they come from */
	bool bad;        /* something was not there, or was not understood */
	bool cut;        /* there was more behind `end` than was copied */
};

static inline uint64_t cfi_bytes(struct cfi_reader *reader, size_t size)
{
	uint64_t value = 0;
	if ((size_t)(reader->end - reader->at) < size) {
		reader->bad = true;
		reader->at = reader->end;
		return 0;
	}
	memcpy(&value, reader->at, size);
	reader->at += size;
	return value;
}

static inline uint64_t cfi_uleb(struct cfi_reader *reader)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint64_t byte = cfi_bytes(reader, 1);
		value |= (byte & 0x7F) << shift;
		if (!(byte & 0x80))
			return value;
	}
	reader->bad = true;
	return 0;
}

static inline int64_t cfi_sleb(struct cfi_reader *reader)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 64;) {
		uint64_t byte = cfi_bytes(reader, 1);
		value |= (byte & 0x7F) << shift;
		shift += 7;
		if (!(byte & 0x80)) {
			if (byte & 0x40 && shift < 64)
				value |= ~(uint64_t)0 << shift;
			return (int64_t)value;
		}
	}
	reader->bad = true;
	return 0;
}

/* Passes over `size` bytes. */
static inline void cfi_skip(struct cfi_reader *reader, uint64_t size)
{
	if (size > (uint64_t)(reader->end - reader->at)) {
		reader->bad = true;
		reader->at = reader->end;
	} else {
		reader->at += size;
	}
}

#endif
