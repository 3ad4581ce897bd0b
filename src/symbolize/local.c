/* local.c - names for the addresses of a profile, from the binaries on this machine.
 *
 * Each mapping's addresses are sorted and each is resolved once; then the locations get their lines in the order of the
 * profile, so that functions are numbered as the reference numbers them.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "symbolize/debug_file.h"
#include "symbolize/dwarf.h"
#include "symbolize/elf_file.h"
#include "symbolize/functions.h"
#include "symbolize/mapping_locations.h"
#include "symbolize/notice.h"
#include "symbolize/symbol_table.h"

/* --- one binary ---------------------------------------------------------------------------------------------------- */

struct binary {
	struct elf_file *file;
	struct elf_file *debug; /* separate debug information, or NULL */
	struct symbol_table symbols;
	struct symbol_table debug_symbols; /* of the debug file; empty where `symbols` is complete */
	struct dwarf_reader *dwarf;        /* NULL without lines */
	bool fast;
};

static void binary_release(struct binary *binary)
{
	dwarf_reader_free(binary->dwarf);
	symbol_table_release(&binary->symbols);
	symbol_table_release(&binary->debug_symbols);
	elf_file_close(binary->debug);
	elf_file_close(binary->file);
}

static void binary_read(struct binary *binary, struct elf_file *file, bool fast)
{
	*binary = (struct binary){ .file = file, .fast = fast };
	symbol_table_read(&binary->symbols, file->elf, file->is_debug_file ? SYMBOLS_GLOBAL : SYMBOLS_OF_BINARY);
	bool has_dwarf = debug_file_has_dwarf(file);
	if (!file->is_debug_file && (!binary->symbols.is_complete || (!fast && !has_dwarf)))
		binary->debug = debug_file_of(file);
	const struct elf_file *debug = file->is_debug_file ? file : binary->debug;
	if (debug && !binary->symbols.is_complete)
		symbol_table_read(&binary->debug_symbols, debug->elf, SYMBOLS_OF_DEBUG_FILE);
	if (!fast && (has_dwarf || binary->debug))
		binary->dwarf = dwarf_reader_new(has_dwarf ? file->elf : binary->debug->elf);
}

/* The symbol that names the physical function, or NULL where `dwarf_name`, the name from DWARF, is to stand.
 *
 * The binary's own symbol comes first: a complete table knows clones and parts ("work.cold"), and .dynsym the name that
 * callers use ("printf", which DWARF has as "__printf"). The debug file's own comes last: its functions have many
 * aliases, and "work.part.0" would stand beside the "work" of inlined calls. */
static const struct symbol *naming_symbol(const struct binary *binary, uint64_t address, struct str dwarf_name)
{
	const struct symbol *own = symbol_table_find(&binary->symbols, address, binary->fast);
	if (own && (own->size || binary->symbols.is_complete))
		return own;
	if (dwarf_name.length)
		return NULL;
	const struct symbol *other = symbol_table_find(&binary->debug_symbols, address, binary->fast);
	return other ? other : own;
}

static size_t binary_frames(struct binary *binary, uint64_t address, struct frame frames[FRAMES_MAX])
{
	uint64_t object_address;
	if (!elf_file_address(binary->file, address, &object_address))
		return 0;
	size_t count = binary->dwarf ? dwarf_frames(binary->dwarf, object_address, frames) : 0;
	struct str dwarf_name = count ? frames[count - 1].function : (struct str){ 0 };
	const struct symbol *symbol = naming_symbol(binary, object_address, dwarf_name);
	if (!symbol)
		return count;
	if (count == 0) {
		frames[0] = (struct frame){ .file = binary->fast ? NULL : symbol->file };
		count = 1;
	}
	frames[count - 1].function = symbol->name;
	return count;
}

/* --- one mapping --------------------------------------------------------------------------------------------------- */

/* An address and its frames, in `frames` of struct resolved. */
struct resolved_address {
	uint64_t address;
	size_t frame_start;
	uint32_t frame_count;
};

struct resolved {
	struct resolved_address *addresses; /* sorted, distinct */
	size_t address_count;
	struct frame *frames;
	size_t frame_count, frame_capacity;
};

static int compare_addresses(const void *one, const void *two)
{
	uint64_t a = ((const struct resolved_address *)one)->address, b = ((const struct resolved_address *)two)->address;
	return a < b ? -1 : a > b;
}

static void resolve(struct resolved *resolved, struct binary *binary, const struct profile *profile,
                    const uint32_t *locations, size_t count)
{
	*resolved = (struct resolved){ .addresses = xcalloc(count, sizeof(*resolved->addresses)) };
	for (size_t i = 0; i < count; i++)
		resolved->addresses[i].address = profile->locations[locations[i]].address;
	qsort(resolved->addresses, count, sizeof(*resolved->addresses), compare_addresses);
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || resolved->addresses[i].address != resolved->addresses[resolved->address_count - 1].address)
			resolved->addresses[resolved->address_count++] = resolved->addresses[i];
	}
	for (size_t i = 0; i < resolved->address_count; i++) {
		struct frame frames[FRAMES_MAX];
		struct resolved_address *at = &resolved->addresses[i];
		at->frame_start = resolved->frame_count;
		at->frame_count = (uint32_t)binary_frames(binary, at->address, frames);
		for (uint32_t k = 0; k < at->frame_count; k++) {
			resolved->frames =
					xgrow(resolved->frames, resolved->frame_count, &resolved->frame_capacity, sizeof(frames[0]));
			resolved->frames[resolved->frame_count++] = frames[k];
		}
	}
}

static void resolved_release(struct resolved *resolved)
{
	free(resolved->addresses);
	free(resolved->frames);
}

static uint32_t intern_file(struct profile *profile, const struct frame *frame, struct buffer *scratch)
{
	if (!frame->directory)
		return profile_intern_text(profile, frame->file);
	buffer_clear(scratch);
	buffer_printf(scratch, "%s/%s", frame->directory, frame->file);
	return profile_intern(profile, buffer_str(scratch));
}

static void fill_location(struct profile *profile, struct function_table *functions, uint32_t location_ix,
                          const struct frame *frames, uint32_t count, struct buffer *scratch)
{
	struct location *location = &profile->locations[location_ix];
	struct mapping *mapping = &profile->mappings[location->mapping_ix];
	location->line_start = profile_add_lines(profile, count);
	location->line_count = count;
	location->is_folded = false;
	mapping->has_inline_frames = true;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t name = frames[i].function.length ? profile_intern(profile, frames[i].function) : 0;
		uint32_t file = intern_file(profile, &frames[i], scratch);
		mapping->has_functions |= name != 0;
		mapping->has_filenames |= file != 0;
		mapping->has_line_numbers |= frames[i].line != 0;
		profile->lines[location->line_start + i] = (struct line){
			.function_ix = function_table_add(functions, name, file, frames[i].start_line),
			.line = frames[i].line,
			.column = frames[i].column,
		};
	}
}

static void symbolize_mapping(struct profile *profile, struct function_table *functions, struct binary *binary,
                              const uint32_t *locations, size_t count)
{
	struct resolved resolved;
	struct buffer scratch;
	buffer_init(&scratch, BUFFER_UNLIMITED);
	resolve(&resolved, binary, profile, locations, count);
	for (size_t i = 0; i < count && resolved.frame_count > 0; i++) {
		struct resolved_address key = { .address = profile->locations[locations[i]].address };
		const struct resolved_address *at =
				bsearch(&key, resolved.addresses, resolved.address_count, sizeof(key), compare_addresses);
		if (at->frame_count)
			fill_location(profile, functions, locations[i], resolved.frames + at->frame_start, at->frame_count,
			              &scratch);
	}
	buffer_release(&scratch);
	resolved_release(&resolved);
}

/* --- which mappings ------------------------------------------------------------------------------------------------ */

/* Code of the kernel, the driver or a JIT, which no file holds. */
static bool is_unsymbolizable(struct str file)
{
	struct str name = str_base_name(file);
	return str_starts_with(name, STR_LITERAL("[")) || str_starts_with(name, STR_LITERAL("linux-vdso")) ||
	       str_starts_with(file, STR_LITERAL("/dev/dri/")) || str_starts_with(file, STR_LITERAL("/memfd:")) ||
	       str_equal(file, STR_LITERAL("//anon"));
}

/* Whether the file is the address that the profile came from: "http://...", or any scheme with "http" in it. */
static bool is_url(struct str file)
{
	bool has_http = false;
	for (size_t i = 0; i < file.length; i++) {
		unsigned char c = (unsigned char)file.data[i];
		if (c == ':')
			return has_http;
		if (!isalpha(c) && (i == 0 || (!isdigit(c) && c != '+' && c != '-' && c != '.')))
			return false;
		has_http |= i + 4 <= file.length && strncasecmp(file.data + i, "http", 4) == 0;
	}
	return false;
}

static bool needs_names(const struct profile *profile, const struct mapping *mapping,
                        const struct symbolize_options *options)
{
	if (!options->force && (mapping->has_functions || mapping->has_filenames || mapping->has_line_numbers))
		return false;
	struct str file = profile_str(profile, mapping->file);
	return !is_unsymbolizable(file) && (mapping->build_id || !is_url(file));
}

static struct elf_mapping place_of(const struct profile *profile, const struct mapping *mapping)
{
	return (struct elf_mapping){
		.start = mapping->start,
		.limit = mapping->limit,
		.offset = mapping->offset,
		.relocation_symbol = profile_str(profile, mapping->kernel_relocation_symbol).data,
	};
}

/* Opens the mapping's binary, or the debug file of that build id where the binary itself is not here. */
static enum status open_binary(const struct profile *profile, const struct mapping *mapping, struct elf_file **ret_file,
                               struct error *err)
{
	struct elf_mapping where = place_of(profile, mapping);
	struct str path = profile_str(profile, mapping->file);
	if (memchr(path.data, 0, path.length))
		return error_set(err, STATUS_IO, "stat %.*s: invalid argument", (int)strlen(path.data), path.data);
	char *text = xstrndup(path.data, path.length);
	enum status status = elf_file_open(text, &where, ret_file, err);
	free(text);
	if (status != STATUS_OK) {
		*ret_file = debug_file_by_build_id(profile_str(profile, mapping->build_id).data, &where);
		if (*ret_file)
			status = STATUS_OK;
	}
	return status;
}

/* "libfoo.so (build ID 12ab)" */
static char *mapping_title(const struct profile *profile, const struct mapping *mapping)
{
	struct str name = str_base_name(profile_str(profile, mapping->file)), id = profile_str(profile, mapping->build_id);
	if (!id.length)
		return xstrndup(name.data, name.length);
	return xasprintf("%.*s (build ID %.*s)", STR_ARG(name), STR_ARG(id));
}

/* The binary of the last mapping. A binary has several mappings where its code is not in one piece, and they follow each other. */
struct last_binary {
	struct binary binary;
	uint32_t file, build_id; /* of the mapping; file 0 = none */
	char *title;             /* for notices */
};

static void last_binary_release(struct last_binary *last, const struct symbolize_options *options)
{
	if (!last->file)
		return;
	if (last->binary.dwarf && dwarf_reader_is_cut(last->binary.dwarf))
		notice(options, "Debug information of %s is damaged or too large. Symbolization may be incomplete.",
		       last->title);
	binary_release(&last->binary);
	free(last->title);
	*last = (struct last_binary){ 0 };
}

static bool is_last_binary(struct last_binary *last, const struct profile *profile, const struct mapping *mapping)
{
	if (last->file != mapping->file || last->build_id != mapping->build_id)
		return false;
	struct elf_mapping where = place_of(profile, mapping);
	return elf_file_set_mapping(last->binary.file, &where, NULL) == STATUS_OK;
}

/* Returns false if the binary is missing. */
static bool symbolize_from_binary(struct profile *profile, uint32_t mapping_ix, struct function_table *functions,
                                  const uint32_t *locations, size_t count, const struct symbolize_options *options,
                                  struct last_binary *last)
{
	const struct mapping *mapping = &profile->mappings[mapping_ix];
	if (!is_last_binary(last, profile, mapping)) {
		last_binary_release(last, options);
		struct elf_file *file;
		struct error err;
		struct str id = profile_str(profile, mapping->build_id);
		char *title = mapping_title(profile, mapping);
		bool is_here = open_binary(profile, mapping, &file, &err) == STATUS_OK;
		bool is_other = is_here && id.length && *file->build_id && !str_equal(id, str_of(file->build_id));
		if (!is_here || is_other) {
			notice(options, "Local symbolization failed for %s: %s", title,
			       is_here ? "build ID mismatch" : err.message);
			if (is_here)
				elf_file_close(file);
			free(title);
			return is_here;
		}
		*last = (struct last_binary){ .file = mapping->file, .build_id = mapping->build_id, .title = title };
		binary_read(&last->binary, file, options->fast_local);
	}
	symbolize_mapping(profile, functions, &last->binary, locations, count);
	return true;
}

static bool any_wants_names(const struct profile *profile, const struct symbolize_options *options)
{
	for (uint32_t i = 0; i < profile->mapping_count; i++) {
		if (needs_names(profile, &profile->mappings[i], options))
			return true;
	}
	return false;
}

void symbolize_local(struct profile *profile, const struct symbolize_options *options)
{
	if (!any_wants_names(profile, options))
		return;
	struct mapping_locations groups;
	struct function_table functions;
	mapping_locations_init(&groups, profile);
	function_table_init(&functions, profile);
	struct last_binary last = { 0 };
	bool missing = false;
	for (uint32_t i = 0; i < profile->mapping_count; i++) {
		size_t count;
		const uint32_t *locations = mapping_locations_of(&groups, i, &count);
		if (count == 0 || !needs_names(profile, &profile->mappings[i], options))
			continue;
		if (profile->mappings[i].file)
			missing |= !symbolize_from_binary(profile, i, &functions, locations, count, options, &last);
		else if (i == 0)
			notice(options, "Main binary filename not available.");
		else
			missing = true;
	}
	last_binary_release(&last, options);
	if (missing) {
		notice(options, "Some binary filenames not available. Symbolization may be incomplete.");
		notice(options, "Try setting PPROF_BINARY_PATH to the search path for local binaries.");
	}
	function_table_release(&functions);
	mapping_locations_release(&groups);
}
