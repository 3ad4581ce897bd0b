/* values.h - numbers and truth values as command lines and the shell spell them: Go's syntax, which is wider than C's.
 *
 * Formats: strconv.ParseInt, ParseFloat, ParseBool and fmt's %v of a float64.
 */
#ifndef CPPROF_CLI_VALUES_H
#define CPPROF_CLI_VALUES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

enum value_result {
	VALUE_OK,
	VALUE_SYNTAX, /* not a number */
	VALUE_RANGE,  /* a number that does not fit */
};

/* A decimal number with an optional sign. */
enum value_result value_parse_decimal(const char *text, int64_t *ret_value);
/* The same with 0x, 0o, 0b or 0 in front, and '_' between digits. */
enum value_result value_parse_int(const char *text, int64_t *ret_value);
/* Decimal or hexadecimal, "inf" and "nan" in any case, '_' between digits. */
enum value_result value_parse_float(const char *text, double *ret_value);
/* 1 t T TRUE true True, 0 f F FALSE false False. */
bool value_parse_bool(const char *text, bool *ret_value);

/* The text in quotes, as Go's %q: what is not printable, quotes and backslashes are escaped. The caller frees it. */
char *value_quote(const char *text);

/* The shortest text that reads back as the same number: "0.005", "1e+06". */
void value_append_float(struct buffer *to, double value);

#endif
