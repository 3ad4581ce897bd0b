/* mapping_sources.c - URLs by mapping, and symbols from there. */
#include "cli/mapping_sources.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "base/path.h"
#include "symbolize/symbolize.h"

void mapping_sources_release(struct mapping_sources *sources)
{
	for (size_t i = 0; i < sources->count; i++) {
		free(sources->items[i].key);
		free(sources->items[i].url);
	}
	free(sources->items);
	*sources = (struct mapping_sources){ 0 };
}

static char *copy_text(struct str text)
{
	return xstrndup(text.data, text.length);
}

void mapping_sources_collect(struct mapping_sources *sources, struct profile *profile, const char *url)
{
	for (uint32_t i = 0; i < profile->mapping_count; i++) {
		struct mapping *mapping = &profile->mappings[i];
		if (!mapping->build_id && !mapping->file)
			mapping->file = profile_intern_text(profile, url);
		uint32_t key = mapping->build_id ? mapping->build_id : mapping->file;
		sources->items = xgrow(sources->items, sources->count, &sources->capacity, sizeof(*sources->items));
		sources->items[sources->count++] =
				(struct mapping_source){ copy_text(profile_str(profile, key)), xstrdup(url), mapping->start };
	}
}

void mapping_sources_append(struct mapping_sources *to, struct mapping_sources *from)
{
	for (size_t i = 0; i < from->count; i++) {
		to->items = xgrow(to->items, to->count, &to->capacity, sizeof(*to->items));
		to->items[to->count++] = from->items[i];
	}
	free(from->items);
	*from = (struct mapping_sources){ 0 };
}

/* --- asking the program ------------------------------------------------------------------------------------------------- */

static bool is_pprof_path(struct str path)
{
	static const char *const gperftools[] = { "/pprof/heap", "/pprof/growth", "/pprof/profile", "/pprof/pmuprofile",
		                                      "/pprof/contention" };
	if (memmem(path.data, path.length, "/debug/pprof/", strlen("/debug/pprof/")))
		return true;
	for (size_t i = 0; i < sizeof(gperftools) / sizeof(gperftools[0]); i++) {
		if (str_ends_with(path, str_of(gperftools[i])))
			return true;
	}
	return false;
}

/* The address that answers for symbols beside this profile: the last part of the path replaced by "symbol" or "symbolz". */
static char *symbolz_url(const char *url)
{
	const char *host = strstr(url, "://");
	host = host ? host + 3 : url;
	const char *path = host + strcspn(host, "/?#");
	struct str text = { path, strcspn(path, "?#") };
	struct buffer joined, clean;
	buffer_init(&joined, BUFFER_UNLIMITED);
	buffer_init(&clean, BUFFER_UNLIMITED);
	buffer_printf(&joined, "%.*s/../%s", STR_ARG(text), is_pprof_path(text) ? "symbol" : "symbolz");
	path_clean(buffer_str(&joined), &clean);
	const char *tail = buffer_text(&clean);
	char *result = xasprintf("%.*s%s%s", (int)(path - url), url, *tail == '/' ? "" : "/", tail);
	buffer_release(&joined);
	buffer_release(&clean);
	return result;
}

/* The first source known for the mapping, by its file or else its build id. */
static const struct mapping_source *source_of(const struct mapping_sources *sources, const struct profile *profile,
                                              const struct mapping *mapping)
{
	uint32_t keys[] = { mapping->file, mapping->build_id };
	for (size_t k = 0; k < 2; k++) {
		struct str key = profile_str(profile, keys[k]);
		for (size_t i = 0; i < sources->count && (k == 0 || key.length); i++) {
			if (str_equal(str_of(sources->items[i].key), key))
				return &sources->items[i];
		}
	}
	return NULL;
}

static enum status ask(const struct mapping_source *source, struct profile *profile, uint32_t mapping_ix,
                       const struct fetch_options *options, struct error *err)
{
	struct buffer body, answer;
	buffer_init(&body, BUFFER_UNLIMITED);
	buffer_init(&answer, (size_t)1 << 30);
	uint64_t shift = profile->mappings[mapping_ix].start - source->start;
	enum status status = STATUS_OK;
	if (symbolz_request(profile, mapping_ix, shift, &body)) {
		char *url = symbolz_url(source->url);
		status = fetch_post(url, buffer_str(&body), options, &answer, err);
		if (status == STATUS_OK)
			symbolz_apply(profile, mapping_ix, shift, buffer_str(&answer));
		free(url);
	}
	buffer_release(&body);
	buffer_release(&answer);
	return status;
}

enum status mapping_sources_symbolize(const struct mapping_sources *sources, struct profile *profile, bool force,
                                      const struct fetch_options *options, struct error *err)
{
	for (uint32_t i = 0; i < profile->mapping_count; i++) {
		if (profile->mappings[i].has_functions && !force)
			continue;
		const struct mapping_source *source = source_of(sources, profile, &profile->mappings[i]);
		if (!source)
			continue;
		enum status status = ask(source, profile, i, options, err);
		if (status != STATUS_OK)
			return status;
		profile->mappings[i].has_functions = true;
	}
	return STATUS_OK;
}

/* --- names again ------------------------------------------------------------------------------------------------------- */

/* "scheme:rest" as a URL parser sees it. */
static bool is_absolute_url(struct str text)
{
	size_t length = 0;
	while (length < text.length && (isalnum((unsigned char)text.data[length]) ||
	                                (length > 0 && text.data[length] && strchr("+-.", text.data[length]))))
		length++;
	if (length == 0 || length == text.length || text.data[length] != ':' || !isalpha((unsigned char)text.data[0]))
		return false;
	for (size_t i = 0; i < text.length; i++) {
		if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7F)
			return false;
	}
	return true;
}

void mapping_sources_unname(struct profile *profile)
{
	for (uint32_t i = 0; i < profile->mapping_count; i++) {
		struct mapping *mapping = &profile->mappings[i];
		if (!mapping->build_id && is_absolute_url(profile_str(profile, mapping->file)))
			mapping->file = 0;
	}
}
