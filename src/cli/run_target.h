/* run_target.h - the program that `cpprof run` was given: where it is, and whether a preloaded library will come up in it. */
#ifndef CPPROF_CLI_RUN_TARGET_H
#define CPPROF_CLI_RUN_TARGET_H

#include "base/status.h"

/* The file that execvp(3) would execute for this name, owned by the caller. STATUS_NOT_FOUND, or STATUS_IO: found, and not
 * executable. */
enum status run_target_find(const char *name, char **ret_path, struct error *err) CPPROF_MUST_USE;

/* STATUS_UNSUPPORTED, with what to do, if the dynamic linker will not preload there: static, setuid, another machine's. For a
 * script this is asked of its interpreter. */
enum status run_target_check(const char *path, struct error *err) CPPROF_MUST_USE;

#endif
