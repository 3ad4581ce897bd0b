/* helper.h - lines and inlined frames, from the cpprof program run as a helper (docs/adr/0013).
 *
 * Only inside work_run. The protocol is in docs/names.md; the other side is src/cli/name_helper.c.
 */
#ifndef CPPROF_RUNTIME_COLLECT_HELPER_H
#define CPPROF_RUNTIME_COLLECT_HELPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/collect/names.h"

struct helper_query {
	uintptr_t address; /* queries are in rising order, each address once */
	const struct module *module;
	struct name answer; /* no lines: the helper knows nothing; function_start is never set */
};

/* Starts a helper, asks it, waits for its end: ten seconds at the most. False: there is no helper, or it failed; then
 * no answer is filled, and names_why_no_lines() says why. */
bool helper_ask(const struct module_list *list, struct helper_query *queries, size_t count);

#endif
