/* buffer.h - bytes that grow, up to a ceiling stated at birth.
 *
 * Every buffer filled from outside (a download, an inflated profile) gets its ceiling where it is made. Going over
 * it sets `overflow` and keeps what was there; the caller turns that into an error.
 */
#ifndef CPPROF_BASE_BUFFER_H
#define CPPROF_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/str.h"

struct buffer {
	char *data; /* followed by a zero byte once anything was appended; NULL before */
	size_t length;
	size_t capacity;
	size_t ceiling; /* bytes of content at the most */
	bool overflow;
};

#define BUFFER_UNLIMITED ((size_t)1 << 40)

void buffer_init(struct buffer *buffer, size_t ceiling);
void buffer_release(struct buffer *buffer);
/* Forgets the content, keeps the memory. */
void buffer_clear(struct buffer *buffer);
/* Hands the bytes over to the caller, who frees them; the buffer is empty afterwards. Never NULL. */
char *buffer_take(struct buffer *buffer, size_t *ret_length);

void buffer_append(struct buffer *buffer, const void *bytes, size_t length);
void buffer_append_str(struct buffer *buffer, struct str text);
void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_append_char(struct buffer *buffer, char c);
void buffer_printf(struct buffer *buffer, const char *format, ...) CPPROF_PRINTF(2, 3);

/* Room for `length` more bytes, to be filled by the caller and claimed with buffer_claim; NULL on overflow. */
char *buffer_reserve(struct buffer *buffer, size_t length);
void buffer_claim(struct buffer *buffer, size_t length);

/* The content as a view, valid until the next change. */
struct str buffer_str(const struct buffer *buffer);
/* The content as a C string ("" when empty), valid until the next change. */
const char *buffer_text(const struct buffer *buffer);

#endif
