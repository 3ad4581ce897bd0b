/* names.h - modules, build ids, and names for addresses of the running process. Inside work_run.
 *
 * Modules come from /proc/self/maps, build ids and dynamic symbols from the loaded images, symbol tables from the files, lines and
 * inlined frames from a short-lived helper process. What was found is cached in our own pages, bounded.
 */
#ifndef CPPROF_RUNTIME_COLLECT_NAMES_H
#define CPPROF_RUNTIME_COLLECT_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct module {
	uintptr_t start, limit; /* of the executable mapping, adjacent pieces merged */
	uint64_t offset;        /* in the file */
	const char *path;       /* "[vdso]" and the like included; " (deleted)" taken off */
	char build_id[65];      /* lower-case hex, "" = none */
	/* What names need beside that. */
	uintptr_t image; /* where the first byte of the file is mapped; 0 = not known to be an object */
	uint64_t device, inode;
	bool is_main; /* the program itself */
	bool deleted; /* the file of that name is gone, or another */
};

struct module_list {
	struct module *modules; /* the main binary first, the rest by address */
	uint32_t count;
};

void modules_read(struct module_list *ret_list);
const struct module *modules_find(const struct module_list *list, uintptr_t address);

struct name_line {
	const char *function;    /* demangled; never NULL */
	const char *system_name; /* as the linker has it */
	const char *file;        /* NULL = unknown */
	uint32_t line;           /* 0 = unknown */
	uint32_t start_line;     /* where the function is declared; 0 = unknown */
	uint64_t function_start; /* run-time address of the function; 0 = unknown */
};

struct name {
	const struct name_line *lines; /* innermost first; count 0: nothing known */
	uint32_t line_count;
	bool is_final; /* the helper has looked: nothing better can be had on this machine */
};

/* Names for `count` addresses (frames.h convention: to be looked up as they are), ret_names[i] for addresses[i]. `want_lines`: start
 * the helper for files, lines and inlined frames where it can be had. */
void names_find(const struct module_list *list, const uintptr_t *addresses, size_t count, bool want_lines,
                struct name *ret_names);
/* NULL when the helper has answered, or was never asked; else why names have no lines: "the helper /usr/bin/cpprof is not there". For the
 * index page and comments. Any thread. */
const char *names_why_no_lines(void);
/* Bytes of the cache's pages. */
uint64_t names_bytes(void);

#endif
