/* out.c - buffered output for reports. */
#include "base/out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/utf8.h"
#include "base/xalloc.h"

static void out_init(struct out *out, int fd, struct buffer *target)
{
	*out = (struct out){ .block = xmalloc(OUT_BLOCK), .fd = fd, .target = target };
}

void out_init_fd(struct out *out, int fd)
{
	out_init(out, fd, NULL);
}

void out_init_buffer(struct out *out, struct buffer *target)
{
	out_init(out, -1, target);
}

static void deliver(struct out *out, const char *bytes, size_t length)
{
	if (out->target) {
		buffer_append(out->target, bytes, length);
		return;
	}
	while (length > 0 && !out->write_errno) {
		if (out->stop && *out->stop) {
			out->write_errno = EINTR;
			break;
		}
		ssize_t done = write(out->fd, bytes, length);
		if (done < 0) {
			if (errno != EINTR)
				out->write_errno = errno;
			continue;
		}
		bytes += done;
		length -= (size_t)done;
	}
}

void out_flush(struct out *out)
{
	deliver(out, out->block, out->used);
	out->used = 0;
}

enum status out_close(struct out *out, struct error *err)
{
	out_flush(out);
	free(out->block);
	out->block = NULL;
	if (out->write_errno)
		return error_set_errno(err, out->write_errno, "write");
	return STATUS_OK;
}

void out_bytes_flushing(struct out *out, const char *bytes, size_t length)
{
	out_flush(out);
	if (length > OUT_BLOCK / 2) {
		deliver(out, bytes, length);
		return;
	}
	memcpy(out->block, bytes, length);
	out->used = length;
}

void out_text(struct out *out, const char *text)
{
	out_bytes(out, text, strlen(text));
}

void out_printf(struct out *out, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *text = NULL;
	char small[512];
	va_list again;
	va_copy(again, args);
	int length = vsnprintf(small, sizeof(small), format, args);
	if (length >= 0 && (size_t)length < sizeof(small)) {
		out_bytes(out, small, (size_t)length);
	} else if (length >= 0) {
		text = xmalloc((size_t)length + 1);
		vsnprintf(text, (size_t)length + 1, format, again);
		out_bytes(out, text, (size_t)length);
		free(text);
	}
	va_end(again);
	va_end(args);
}

void out_repeat(struct out *out, char c, size_t count)
{
	char run[64];
	memset(run, c, sizeof(run));
	while (count > 0) {
		size_t part = count < sizeof(run) ? count : sizeof(run);
		out_bytes(out, run, part);
		count -= part;
	}
}

/* Writes the decimal digits so that they end at `end`, two at a time; returns where they start. */
static char *digits_before(char *end, uint64_t value)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
								"40414243444546474849505152535455565758596061626364656667686970717273747576777879"
								"8081828384858687888990919293949596979899";
	while (value >= 100) {
		end -= 2;
		memcpy(end, pairs + value % 100 * 2, 2);
		value /= 100;
	}
	if (value < 10) {
		*--end = (char)('0' + value);
		return end;
	}
	end -= 2;
	memcpy(end, pairs + value * 2, 2);
	return end;
}

void out_int_right(struct out *out, int64_t value, size_t width)
{
	char text[32];
	char *end = text + sizeof(text);
	uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	char *start = digits_before(end, magnitude);
	if (value < 0)
		*--start = '-';
	size_t length = (size_t)(end - start);
	if (length < width)
		out_repeat(out, ' ', width - length);
	out_bytes(out, start, length);
}

void out_int(struct out *out, int64_t value)
{
	out_int_right(out, value, 0);
}

void out_uint_right(struct out *out, uint64_t value, size_t width)
{
	char text[32];
	char *end = text + sizeof(text);
	char *start = digits_before(end, value);
	size_t length = (size_t)(end - start);
	if (length < width)
		out_repeat(out, ' ', width - length);
	out_bytes(out, start, length);
}

void out_uint(struct out *out, uint64_t value)
{
	out_uint_right(out, value, 0);
}

void out_hex(struct out *out, uint64_t value)
{
	char text[16];
	char *end = text + sizeof(text), *start = end;
	do {
		*--start = "0123456789abcdef"[value & 15];
		value >>= 4;
	} while (value);
	out_bytes(out, start, (size_t)(end - start));
}

void out_str_right(struct out *out, struct str text, size_t width)
{
	size_t characters = utf8_count(text);
	if (characters < width)
		out_repeat(out, ' ', width - characters);
	out_str(out, text);
}

void out_text_right(struct out *out, const char *text, size_t width)
{
	out_str_right(out, str_of(text), width);
}
