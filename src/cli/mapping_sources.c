/* mapping_sources.c - URLs by mapping, and symbols from there. */
#include "cli/mapping_sources.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "base/path.h"
#include "symbolize/mapping_locations.h"
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

/* The sources by key; of those with the same key, the first comes first. */
static int compare_sources(const void *one, const void *two)
{
	const struct mapping_source *const *a = one, *const *b = two;
	int order = strcmp((*a)->key, (*b)->key);
	return order ? order : (*a > *b) - (*a < *b);
}

static const struct mapping_source **sort_sources(const struct mapping_sources *sources)
{
	const struct mapping_source **sorted = xreallocarray(NULL, sources->count, sizeof(void *));
	for (size_t i = 0; i < sources->count; i++)
		sorted[i] = &sources->items[i];
	if (sources->count)
		qsort(sorted, sources->count, sizeof(void *), compare_sources);
	return sorted;
}

static const struct mapping_source *first_source(const struct mapping_source **sorted, size_t count, struct str key)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (str_compare(str_of(sorted[middle]->key), key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && str_equal(str_of(sorted[low]->key), key) ? sorted[low] : NULL;
}

/* The first source known for the mapping, by its file or else its build id. */
static const struct mapping_source *source_of(const struct mapping_source **sorted, size_t count,
                                              const struct profile *profile, const struct mapping *mapping)
{
	struct str id = profile_str(profile, mapping->build_id);
	const struct mapping_source *source = first_source(sorted, count, profile_str(profile, mapping->file));
	return source || !id.length ? source : first_source(sorted, count, id);
}

/* A server may send what it likes. What is due is one line for each address: the name of a C++ function may take kilobytes,
 * but at 1 KB each, a million of them fit into the whole. */
#define ANSWER_LINE_MAX ((size_t)64 * 1024)
#define ANSWER_MAX ((size_t)1 << 30)

static size_t answer_ceiling(size_t address_count)
{
	size_t most = ANSWER_MAX / ANSWER_LINE_MAX;
	return address_count < most ? (address_count + 1) * ANSWER_LINE_MAX : ANSWER_MAX;
}

static enum status ask(const struct mapping_source *source, struct profile *profile, uint32_t mapping_ix,
                       const struct mapping_locations *groups, const struct fetch_options *options, struct error *err)
{
	size_t count;
	const uint32_t *locations = mapping_locations_of(groups, mapping_ix, &count);
	struct buffer body, answer;
	buffer_init(&body, BUFFER_UNLIMITED);
	buffer_init(&answer, answer_ceiling(count));
	uint64_t shift = profile->mappings[mapping_ix].start - source->start;
	enum status status = STATUS_OK;
	if (symbolz_request(profile, locations, count, shift, &body)) {
		char *url = symbolz_url(source->url);
		status = fetch_post(url, buffer_str(&body), options, &answer, err);
		if (status == STATUS_OK)
			symbolz_apply(profile, locations, count, shift, buffer_str(&answer));
		free(url);
	}
	buffer_release(&body);
	buffer_release(&answer);
	return status;
}

enum status mapping_sources_symbolize(const struct mapping_sources *sources, struct profile *profile, bool force,
                                      const struct fetch_options *options, struct error *err)
{
	struct mapping_locations groups;
	mapping_locations_init(&groups, profile);
	const struct mapping_source **sorted = sort_sources(sources);
	enum status status = STATUS_OK;
	for (uint32_t i = 0; i < profile->mapping_count && status == STATUS_OK; i++) {
		if (profile->mappings[i].has_functions && !force)
			continue;
		const struct mapping_source *source = source_of(sorted, sources->count, profile, &profile->mappings[i]);
		if (!source)
			continue;
		status = ask(source, profile, i, &groups, options, err);
		profile->mappings[i].has_functions |= status == STATUS_OK;
	}
	free(sorted);
	mapping_locations_release(&groups);
	return status;
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
