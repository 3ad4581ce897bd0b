/* status.c - filling and extending struct error. */
#include "base/status.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#ifdef __clang_analyzer__ /* the functions themselves are below */
#undef error_set
#undef error_set_errno
#undef error_set_at
#endif

__attribute__((format(printf, 3, 0))) static void error_fill(struct error *err, enum status code, const char *format,
                                                             va_list args)
{
	err->code = code;
	err->sys_errno = 0;
	err->offset = ERROR_NO_OFFSET;
	vsnprintf(err->message, sizeof(err->message), format, args);
}

enum status error_set(struct error *err, enum status code, const char *format, ...)
{
	if (err) {
		va_list args;
		va_start(args, format);
		error_fill(err, code, format, args);
		va_end(args);
	}
	return code;
}

enum status error_set_errno(struct error *err, int sys_errno, const char *format, ...)
{
	if (err) {
		va_list args;
		va_start(args, format);
		error_fill(err, STATUS_IO, format, args);
		va_end(args);
		err->sys_errno = sys_errno;
		size_t used = strlen(err->message);
		char text[128];
		/* GNU strerror_r: may return a constant instead of filling `text`. */
		const char *reason = strerror_r(sys_errno, text, sizeof(text));
		/* In the middle of a sentence, and as Go's tools have it: no capital. */
		snprintf(err->message + used, sizeof(err->message) - used, ": %c%s", tolower((unsigned char)*reason),
		         *reason ? reason + 1 : "");
	}
	return STATUS_IO;
}

enum status error_set_at(struct error *err, int64_t offset, enum status code, const char *format, ...)
{
	if (err) {
		va_list args;
		va_start(args, format);
		error_fill(err, code, format, args);
		va_end(args);
		err->offset = offset;
	}
	return code;
}

void error_prefix(struct error *err, const char *format, ...)
{
	if (!err)
		return;
	char old[ERROR_MESSAGE_SIZE];
	memcpy(old, err->message, sizeof(old));
	va_list args;
	va_start(args, format);
	int written = vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	if (written < 0)
		written = 0;
	size_t used = (size_t)written < sizeof(err->message) ? (size_t)written : sizeof(err->message) - 1;
	snprintf(err->message + used, sizeof(err->message) - used, "%s", old);
}
