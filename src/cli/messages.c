/* messages.c - stderr. */
#include "cli/messages.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"

#define RED "\033[0;31m"
#define PLAIN "\033[0m"

/* One write, so that lines of several threads do not mix. Nobody can be told if it fails. */
static void write_line(const char *before, const char *line, const char *after)
{
	struct buffer text;
	buffer_init(&text, BUFFER_UNLIMITED);
	size_t length = strlen(line);
	bool has_newline = length > 0 && line[length - 1] == '\n';
	buffer_printf(&text, "%s%s%s%s", before, line, has_newline ? "" : "\n", after);
	const char *at = text.data;
	size_t left = text.length;
	while (left > 0) {
		ssize_t done = write(STDERR_FILENO, at, left);
		if (done < 0 && errno != EINTR)
			break;
		if (done > 0) {
			at += done;
			left -= (size_t)done;
		}
	}
	buffer_release(&text);
}

void message_line(void *unused, const char *line)
{
	(void)unused;
	write_line("", line, "");
}

void message_warning(void *unused, const char *line)
{
	(void)unused;
	const char *no_color = getenv("NO_COLOR");
	bool colored = isatty(STDERR_FILENO) && !(no_color && *no_color);
	write_line(colored ? RED : "", line, colored ? PLAIN : "");
}

void message_warningf(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *line;
	if (vasprintf(&line, format, args) >= 0) {
		message_warning(NULL, line);
		free(line);
	}
	va_end(args);
}

void message_failure(const struct error *err)
{
	message_warningf("cpprof: %s", err->message);
}
