/* process.h - processes of this machine that carry libcpprof: who they are, and the sources "pid:1234/heap" and
 * "name:nginx/goroutine". Each listens at an abstract socket "@cpprof/PID" (src/runtime/address.h).
 */
#ifndef CPPROF_FETCH_PROCESS_H
#define CPPROF_FETCH_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/status.h"
#include "fetch/url.h"

struct served_process {
	int pid; /* as we see it */
	uid_t uid;
	char name[64];    /* of its main thread: what ps(1) calls it */
	char socket[108]; /* of the abstract address, without the zero in front */
};

/* All processes that serve in our network namespace, by pid. The caller frees *ret_processes. */
size_t served_processes(struct served_process **ret_processes);

/* True if the caller may fetch from it: its own, or anybody's for root. */
bool served_process_is_ours(const struct served_process *process);

/* The sources that "name:NAME/..." stands for: "pid:N/..." for each process of that name, an array of owned strings that ends
 * in NULL; any other source, or a name that nobody has, is the only one. */
char **process_sources_expand(const char *source);

/* True for "pid:1234/heap" and "name:nginx/heap". */
bool process_source_is(const char *source);
/* "pid:1234/heap?seconds=5" as a URL of ours, pid://1234/debug/pprof/heap?seconds=5, after making sure that the process
 * answers. The errors say what to do. */
enum status process_source_url(const char *source, struct url *ret_url, struct error *err) CPPROF_MUST_USE;

/* The socket behind such a URL, to be freed; NULL: its process does not serve. */
char *process_url_socket(const struct url *url);
bool process_url_is(const struct url *url);

#endif
