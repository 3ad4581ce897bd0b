/* status.h - how a function says that it failed.
 *
 * A fallible function returns `enum status` and fills the optional last argument `struct error *` once, in the
 * place where the failure is known best; callers may put words in front of it (error_prefix). Libraries never print:
 * only src/cli/ does.
 */
#ifndef CPPROF_BASE_STATUS_H
#define CPPROF_BASE_STATUS_H

#include <stddef.h>
#include <stdint.h>

enum status {
	STATUS_OK = 0,
	STATUS_NO_MEMORY,
	STATUS_IO,          /* the system refused: sys_errno says why */
	STATUS_FORMAT,      /* the bytes are not what they should be: offset says where, if known */
	STATUS_LIMIT,       /* a ceiling against hostile or absurd sizes was hit */
	STATUS_INVALID,     /* an argument or an option that cannot be honoured */
	STATUS_NOT_FOUND,   /* no match, no file, no symbol */
	STATUS_UNSUPPORTED, /* understood, but not something we can do */
	STATUS_NETWORK,     /* a peer refused, hung up, timed out or answered with an error */
};

#define ERROR_MESSAGE_SIZE 2048
#define ERROR_NO_OFFSET (-1)

/* One failure. `message` is a complete sentence part without a final dot or newline; it is cut, never overrun. */
struct error {
	enum status code;
	int sys_errno;  /* 0 if the system had no part in it */
	int64_t offset; /* byte offset in the input, or ERROR_NO_OFFSET */
	char message[ERROR_MESSAGE_SIZE];
};

#define CPPROF_MUST_USE __attribute__((warn_unused_result))
#define CPPROF_PRINTF(format_ix, first_ix) __attribute__((format(printf, format_ix, first_ix)))

/* Fills *err (which may be NULL) and returns `code`, so that a failing function can `return error_set(...)`. */
enum status error_set(struct error *err, enum status code, const char *format, ...) CPPROF_PRINTF(3, 4);

/* As error_set for STATUS_IO; keeps `sys_errno` and appends ": " and its text. */
enum status error_set_errno(struct error *err, int sys_errno, const char *format, ...) CPPROF_PRINTF(3, 4);

/* As error_set, with the byte offset where the input went wrong. */
enum status error_set_at(struct error *err, int64_t offset, enum status code, const char *format, ...)
		CPPROF_PRINTF(4, 5);

/* Puts words in front of a message that is already there. */
void error_prefix(struct error *err, const char *format, ...) CPPROF_PRINTF(2, 3);

#ifdef __clang_analyzer__
/* clang-tidy sees one file at a time, where a failure might as well return STATUS_OK: it is told what these return. */
static inline enum status error_known(enum status returned, enum status code)
{
	(void)returned;
	return code;
}
#define error_set(err, code, ...) error_known(error_set(err, code, __VA_ARGS__), code)
#define error_set_errno(err, sys_errno, ...) error_known(error_set_errno(err, sys_errno, __VA_ARGS__), STATUS_IO)
#define error_set_at(err, offset, code, ...) error_known(error_set_at(err, offset, code, __VA_ARGS__), code)
#endif

#endif
