/* messages.h - lines for the user on stderr; stdout is for reports. Any thread may call these: a line is written whole. */
#ifndef CPPROF_CLI_MESSAGES_H
#define CPPROF_CLI_MESSAGES_H

#include "base/status.h"

/* One line (newline added). The first argument is unused: the signature is that of the `notice` callbacks. */
void message_line(void *unused, const char *line);
/* The same for warnings and errors: in colour where stderr is a terminal and NO_COLOR is not set. */
void message_warning(void *unused, const char *line);
/* A formatted warning. */
void message_warningf(const char *format, ...) CPPROF_PRINTF(1, 2);
/* The final line: "cpprof: " and the error. */
void message_failure(const struct error *err);

#endif
