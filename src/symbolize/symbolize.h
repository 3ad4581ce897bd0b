/* symbolize.h - names, files and lines for addresses, from ELF and DWARF on this machine (elfutils), in process.
 *
 * Starts no helper program. Addresses of one binary are resolved in one pass over sorted tables, never by a linear scan
 * per address. Reading of other binaries (Mach-O, PE) is out of scope.
 */
#ifndef CPPROF_SYMBOLIZE_SYMBOLIZE_H
#define CPPROF_SYMBOLIZE_SYMBOLIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "profile/profile.h"

enum demangle_mode {
	DEMANGLE_DEFAULT,   /* no parameters, no template arguments */
	DEMANGLE_TEMPLATES, /* no parameters, template arguments kept */
	DEMANGLE_FULL,
	DEMANGLE_NONE,
};

struct symbolize_options {
	bool local;      /* look into binaries */
	bool fast_local; /* symbol tables only, no DWARF */
	bool force;      /* also where the profile already has names */
	bool none;       /* touch nothing, demangle nothing */
	enum demangle_mode demangle;
	/* Told, line by line without newline, what could not be found and what to do ("Local symbolization failed for
	 * libfoo.so: ..."). */
	void (*notice)(void *arg, const char *line);
	void *notice_arg;
};

/* Reads "-symbolize"; an unknown word is reported through options->notice and skipped. `ret_remote` says whether remote
 * symbolization is wanted. */
void symbolize_options_parse(const char *text, struct symbolize_options *ret_options, bool *ret_remote);

/* True if the file is an object file (ELF) that could be the profiled binary. */
bool symbolize_is_object_file(const char *path);

/* Step 1, per source before merging: finds each mapping's binary (PPROF_BINARY_PATH, else ~/pprof/binaries), checks build ids,
 * and sets the mapping's file. `binary` and `build_id` (may be NULL) override mapping 1. Adds an empty mapping
 * where there is none and points locations without mapping to it. */
void symbolize_locate_binaries(struct profile *profile, const char *binary, const char *build_id,
                               const struct symbolize_options *options);

/* Step 2, on the merged profile: fills lines and functions of locations whose mapping has no names yet, from binaries and
 * their debug files (in the binary, by build id below /usr/lib/debug, or by .gnu_debuglink). */
void symbolize_local(struct profile *profile, const struct symbolize_options *options);

/* Step 3: symbolz. What the program that served the profile is asked, and what it answers (src/cli/ does the asking), for
 * some locations (mapping_locations.h): their addresses, where they have no names, each less `shift` (what merging has
 * added), as "0x1+0x2"; false if there are none. */
bool symbolz_request(const struct profile *profile, const uint32_t *locations, size_t count, uint64_t shift,
                     struct buffer *ret_body);
/* Names from the answer's lines ("0x1234 name"). */
void symbolz_apply(struct profile *profile, const uint32_t *locations, size_t count, uint64_t shift, struct str answer);

/* Step 4: demangles and shortens the names of functions. With options->force names are first taken back to system names. */
void symbolize_demangle_profile(struct profile *profile, const struct symbolize_options *options);

/* Demangles a C++ or Rust name; false if the name is not mangled. The result is appended to *ret_text. */
bool symbolize_demangle(const char *name, enum demangle_mode mode, struct buffer *ret_text);

#endif
