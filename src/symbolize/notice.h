/* notice.h - telling the caller of symbolization, line by line, what could not be found. */
#ifndef CPPROF_SYMBOLIZE_NOTICE_H
#define CPPROF_SYMBOLIZE_NOTICE_H

#include <stdlib.h>

#include "base/xalloc.h"
#include "symbolize/symbolize.h"

/* One line, as printf. */
#define notice(options, ...) \
	do { \
		if ((options)->notice) { \
			char *notice_line = xasprintf(__VA_ARGS__); \
			(options)->notice((options)->notice_arg, notice_line); \
			free(notice_line); \
		} \
	} while (0)

#endif
