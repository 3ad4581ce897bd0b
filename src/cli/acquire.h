/* acquire.h - from the sources on the command line to one profile that is ready for reports: fetched, merged, compared
 * with its base, symbolized, pruned and, if anything came over the network, saved.
 */
#ifndef CPPROF_CLI_ACQUIRE_H
#define CPPROF_CLI_ACQUIRE_H

#include "cli/options.h"
#include "profile/profile.h"

/* Sources that fail are told on stderr, one line each, and left out; none left is an error. The caller releases
 * *ret_profile. */
enum status acquire_profile(const struct options *options, struct profile *ret_profile,
                            struct error *err) CPPROF_MUST_USE;

#endif
