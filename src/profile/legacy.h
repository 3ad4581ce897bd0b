/* legacy.h - profiles from before profile.proto: gperftools' CPU and heap profiles, Go's debug=1 texts, thread and
 * contention texts, Java's; and, beyond what the reference reads, jemalloc's heap dumps. */
#ifndef CPPROF_PROFILE_LEGACY_H
#define CPPROF_PROFILE_LEGACY_H

#include "profile/profile.h"

/* Reads a profile in any of the legacy formats from uncompressed bytes, which are not needed afterwards. On success
 * *ret_profile is initialised; it keeps the rules of profile_check. On failure it is untouched and `err` (optional) has
 * the reference's words without a prefix: "unrecognized profile format" when no format claims the bytes, else what is wrong
 * with them. STATUS_FORMAT or STATUS_INVALID: bad bytes; STATUS_LIMIT: more than a ceiling of ours. Thread safe. */
enum status profile_parse_legacy(struct str bytes, struct profile *ret_profile, struct error *err) CPPROF_MUST_USE;

#endif
