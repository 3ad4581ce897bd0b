/* locate.c - finding the binaries of a profile that comes from elsewhere: PPROF_BINARY_PATH.
 *
 * Nearly every run has no such directory, and then nothing is looked for.
 */
#include <ctype.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "base/xalloc.h"
#include "symbolize/elf_file.h"
#include "symbolize/notice.h"

/* --- paths --------------------------------------------------------------------------------------------------------- */

static char *join(struct str a, struct str b, struct str c)
{
	return path_join((struct str[]){ a, b, c }, 3);
}

static struct str directory_of(struct str path)
{
	const char *slash = memrchr(path.data, '/', path.length);
	if (!slash)
		return STR_LITERAL(".");
	return (struct str){ path.data, slash == path.data ? 1 : (size_t)(slash - path.data) };
}

/* --- one mapping --------------------------------------------------------------------------------------------------- */

struct search {
	struct profile *profile;
	struct mapping *mapping;
	const struct symbolize_options *options;
	struct elf_mapping where;
};

/* Takes the file for the mapping if it is an object file with the right build id. Frees `path`. */
static bool try_file(struct search *search, char *path)
{
	struct elf_file *file;
	bool taken = false;
	if (access(path, R_OK) == 0 && elf_file_open(path, &search->where, &file, NULL) == STATUS_OK) {
		struct str id = profile_str(search->profile, search->mapping->build_id);
		if (id.length && !str_equal(id, str_of(file->build_id))) {
			notice(search->options, "Ignoring local file %s: build-id mismatch (%.*s != %s)", path, STR_ARG(id),
			       file->build_id);
		} else {
			search->mapping->file = profile_intern_text(search->profile, path);
			taken = true;
		}
		elf_file_close(file);
	}
	free(path);
	return taken;
}

static bool is_hex(struct str text)
{
	for (size_t i = 0; i < text.length; i++) {
		if (!isxdigit((unsigned char)text.data[i]))
			return false;
	}
	return true;
}

/* Every file of DIRECTORY/ID/, sorted. As in the reference, wildcards in DIRECTORY, which the user gives, count as such. The
 * id comes from the profile: only digits, which files have as well, can lead to one that fits, and neither out of the directory
 * nor all over the disk. */
static bool try_directory(struct search *search, struct str directory, struct str id)
{
	if (!is_hex(id))
		return false;
	char *pattern = join(directory, id, STR_LITERAL("*"));
	glob_t found;
	bool taken = false;
	if (glob(pattern, GLOB_PERIOD, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc && !taken; i++) {
			struct str name = str_base_name(str_of(found.gl_pathv[i]));
			if (!str_equal(name, STR_LITERAL(".")) && !str_equal(name, STR_LITERAL("..")))
				taken = try_file(search, xstrdup(found.gl_pathv[i]));
		}
		globfree(&found);
	}
	free(pattern);
	return taken;
}

/* By build id: DIRECTORY/ID/NAME, DIRECTORY/ID/..., DIRECTORY/FILE/ID (perf), DIRECTORY/ab/cdef.debug. */
static bool try_build_id(struct search *search, struct str directory, struct str file, struct str id)
{
	struct str name = file.length ? str_base_name(file) : STR_LITERAL("");
	if (try_file(search, join(directory, id, name)) || try_directory(search, directory, id) ||
	    try_file(search, join(directory, file, id)))
		return true;
	if (id.length < 2)
		return false;
	char *rest = xasprintf("%.*s.debug", STR_ARG(str_from(id, 2)));
	bool taken = try_file(search, join(directory, (struct str){ id.data, 2 }, str_of(rest)));
	free(rest);
	return taken;
}

/* By name, as perf's symfs directory and GDB have it. */
static bool try_name(struct search *search, struct str directory, struct str file)
{
	struct str none = STR_LITERAL("");
	if (try_file(search, join(directory, str_base_name(file), none)) || try_file(search, join(directory, file, none)))
		return true;
	char *beside = xasprintf("%.*s.debug", STR_ARG(file));
	char *name = xasprintf("%.*s.debug", STR_ARG(str_base_name(file)));
	char *below = xasprintf("%.*s/.debug", STR_ARG(directory_of(file)));
	char *system = xasprintf("usr/lib/debug/%.*s", STR_ARG(directory_of(file)));
	bool taken = try_file(search, join(directory, str_of(beside), none)) ||
	             try_file(search, join(directory, str_of(below), str_of(name))) ||
	             try_file(search, join(directory, str_of(system), str_of(name)));
	free(beside);
	free(name);
	free(below);
	free(system);
	return taken;
}

static void locate_mapping(struct profile *profile, struct mapping *mapping, const char *search_path,
                           const struct symbolize_options *options)
{
	struct str file = profile_str(profile, mapping->file), id = profile_str(profile, mapping->build_id);
	struct search search = {
		.profile = profile,
		.mapping = mapping,
		.options = options,
		.where = { mapping->start, mapping->limit, mapping->offset,
		           profile_str(profile, mapping->kernel_relocation_symbol).data },
	};
	for (const char *at = search_path; at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
		struct str directory = { at, strcspn(at, ":") };
		struct stat info;
		char *name = join(directory, STR_LITERAL(""), STR_LITERAL(""));
		bool is_directory = stat(name, &info) == 0 && S_ISDIR(info.st_mode);
		free(name);
		if (is_directory && ((id.length && try_build_id(&search, directory, file, id)) ||
		                     (file.length && try_name(&search, directory, file))))
			return;
	}
}

/* --- all mappings -------------------------------------------------------------------------------------------------- */

/* $PPROF_BINARY_PATH, else $HOME/pprof/binaries; NULL if that is no directory. The caller frees it. */
static char *search_path(void)
{
	const char *path = getenv("PPROF_BINARY_PATH"), *home = getenv("HOME");
	if (path && *path)
		return xstrdup(path);
	char *standard = join(str_of(home), STR_LITERAL("pprof"), STR_LITERAL("binaries"));
	if (access(standard, X_OK) == 0)
		return standard;
	free(standard);
	return NULL;
}

static void add_empty_mapping(struct profile *profile)
{
	profile_add_mapping(profile)->id = 1;
	for (uint32_t i = 0; i < profile->location_count; i++)
		profile->locations[i].mapping_ix = 0;
}

void symbolize_locate_binaries(struct profile *profile, const char *binary, const char *build_id,
                               const struct symbolize_options *options)
{
	char *path = search_path();
	for (uint32_t i = 0; path && i < profile->mapping_count; i++)
		locate_mapping(profile, &profile->mappings[i], path, options);
	free(path);
	if (profile->mapping_count == 0)
		add_empty_mapping(profile);
	struct mapping *main_mapping = &profile->mappings[0];
	if (binary && *binary)
		main_mapping->file = profile_intern_text(profile, binary);
	if (build_id && *build_id && !main_mapping->build_id)
		main_mapping->build_id = profile_intern_text(profile, build_id);
}

bool symbolize_is_object_file(const char *path)
{
	struct stat info;
	struct elf_file *file;
	if (stat(path, &info) != 0 || !S_ISREG(info.st_mode) || elf_file_open(path, NULL, &file, NULL) != STATUS_OK)
		return false;
	elf_file_close(file);
	return true;
}
