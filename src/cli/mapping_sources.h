/* mapping_sources.h - which URL a mapping's profile came from, so that the program itself can be asked for its symbols. */
#ifndef CPPROF_CLI_MAPPING_SOURCES_H
#define CPPROF_CLI_MAPPING_SOURCES_H

#include "fetch/fetch.h"
#include "profile/profile.h"

struct mapping_source {
	char *key; /* the mapping's build id, else its file, else the URL */
	char *url;
	uint64_t start; /* of the mapping in that program: merging moves it */
};

struct mapping_sources {
	struct mapping_source *items;
	size_t count, capacity;
};

void mapping_sources_release(struct mapping_sources *sources);
/* Remembers the URL for every mapping; a mapping that has no name takes the URL as its file until
 * mapping_sources_unname. */
void mapping_sources_collect(struct mapping_sources *sources, struct profile *profile, const char *url);
/* Moves the items of `from` behind those of `to`. */
void mapping_sources_append(struct mapping_sources *to, struct mapping_sources *from);

/* Asks the programs for the names of addresses that have none (all mappings without names, or all with `force`). A
 * program that does not answer is an error. */
enum status mapping_sources_symbolize(const struct mapping_sources *sources, struct profile *profile, bool force,
                                      const struct fetch_options *options, struct error *err) CPPROF_MUST_USE;

/* Takes URLs out of mappings' files again. */
void mapping_sources_unname(struct profile *profile);

#endif
