/* out.h - buffered output for reports: to a descriptor, to a buffer, or to nowhere.
 *
 * A report may be 100 MB of text, so it is written as it is made. The first failed write is remembered and
 * later writes are dropped; out_close() tells. EPIPE is remembered like any other: `cpprof ... | head` is an
 * ordinary end, which src/cli/ decides.
 */
#ifndef CPPROF_BASE_OUT_H
#define CPPROF_BASE_OUT_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/str.h"

#define OUT_BLOCK ((size_t)64 * 1024)

struct buffer;

struct out {
	char *block;
	size_t used;
	int fd;                /* -1: `target` is used */
	struct buffer *target; /* not owned */
	int write_errno;       /* the first failure; 0 if none */
	/* If set and not 0, nothing is written any more: a signal handler's word. The failure is then EINTR. */
	const volatile sig_atomic_t *stop;
};

/* The descriptor stays the caller's. */
void out_init_fd(struct out *out, int fd);
void out_init_buffer(struct out *out, struct buffer *target);
/* Flushes, releases the block, and tells of the first failed write. */
enum status out_close(struct out *out, struct error *err) CPPROF_MUST_USE;
void out_flush(struct out *out);

/* The slow half of out_bytes: the block is full, or the bytes are many. */
void out_bytes_flushing(struct out *out, const char *bytes, size_t length);

static inline void out_bytes(struct out *out, const char *bytes, size_t length)
{
	if (__builtin_expect(length > OUT_BLOCK - out->used, 0)) {
		out_bytes_flushing(out, bytes, length);
		return;
	}
	memcpy(out->block + out->used, bytes, length);
	out->used += length;
}

/* Room for `length` bytes (at most OUT_BLOCK), to be written in place and claimed as far as they were. */
static inline char *out_room(struct out *out, size_t length)
{
	if (__builtin_expect(length > OUT_BLOCK - out->used, 0))
		out_flush(out);
	return out->block + out->used;
}

static inline void out_claim(struct out *out, size_t length)
{
	out->used += length;
}

static inline void out_str(struct out *out, struct str text)
{
	out_bytes(out, text.data, text.length);
}

static inline void out_char(struct out *out, char c)
{
	out_bytes(out, &c, 1);
}

void out_text(struct out *out, const char *text);
void out_printf(struct out *out, const char *format, ...) CPPROF_PRINTF(2, 3);
/* `count` times the character. */
void out_repeat(struct out *out, char c, size_t count);
/* As printf's %*ld and %*s (right-aligned, padded with blanks), without printf's cost. A str is padded by its number
 * of characters (UTF-8), as Go pads. */
void out_int_right(struct out *out, int64_t value, size_t width);
void out_uint_right(struct out *out, uint64_t value, size_t width);
void out_uint(struct out *out, uint64_t value);
void out_int(struct out *out, int64_t value);
void out_hex(struct out *out, uint64_t value);
void out_str_right(struct out *out, struct str text, size_t width);
void out_text_right(struct out *out, const char *text, size_t width);

#endif
