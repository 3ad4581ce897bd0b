/* buffer.c - growing byte buffers with a ceiling. */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

void buffer_init(struct buffer *buffer, size_t ceiling)
{
	*buffer = (struct buffer){ .ceiling = ceiling };
}

void buffer_release(struct buffer *buffer)
{
	free(buffer->data);
	buffer_init(buffer, buffer->ceiling);
}

void buffer_clear(struct buffer *buffer)
{
	buffer->length = 0;
	buffer->overflow = false;
	if (buffer->data)
		buffer->data[0] = '\0';
}

char *buffer_take(struct buffer *buffer, size_t *ret_length)
{
	char *data = buffer->data ? buffer->data : xstrdup("");
	if (ret_length)
		*ret_length = buffer->length;
	buffer_init(buffer, buffer->ceiling);
	return data;
}

char *buffer_reserve(struct buffer *buffer, size_t length)
{
	if (length > buffer->ceiling - buffer->length) {
		buffer->overflow = true;
		return NULL;
	}
	size_t needed = buffer->length + length + 1;
	if (needed > buffer->capacity) {
		size_t capacity = buffer->capacity ? buffer->capacity + buffer->capacity / 2 : 256;
		if (capacity < needed)
			capacity = needed;
		buffer->data = xrealloc(buffer->data, capacity);
		buffer->capacity = capacity;
	}
	return buffer->data + buffer->length;
}

void buffer_claim(struct buffer *buffer, size_t length)
{
	buffer->length += length;
	buffer->data[buffer->length] = '\0';
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t length)
{
	char *room = buffer_reserve(buffer, length);
	if (!room)
		return;
	if (length)
		memcpy(room, bytes, length);
	buffer_claim(buffer, length);
}

void buffer_append_str(struct buffer *buffer, struct str text)
{
	buffer_append(buffer, text.data, text.length);
}

void buffer_append_text(struct buffer *buffer, const char *text)
{
	buffer_append(buffer, text, strlen(text));
}

void buffer_append_char(struct buffer *buffer, char c)
{
	buffer_append(buffer, &c, 1);
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	char small[256];
	int length = vsnprintf(small, sizeof(small), format, args);
	if (length >= 0 && (size_t)length < sizeof(small)) {
		buffer_append(buffer, small, (size_t)length);
	} else if (length >= 0) {
		char *room = buffer_reserve(buffer, (size_t)length);
		if (room) {
			vsnprintf(room, (size_t)length + 1, format, again);
			buffer_claim(buffer, (size_t)length);
		}
	}
	va_end(again);
	va_end(args);
}

struct str buffer_str(const struct buffer *buffer)
{
	return (struct str){ buffer->data ? buffer->data : "", buffer->length };
}

const char *buffer_text(const struct buffer *buffer)
{
	return buffer->data ? buffer->data : "";
}
