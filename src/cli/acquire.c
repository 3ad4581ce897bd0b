/* acquire.c - sources to one profile. */
#include "cli/acquire.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "cli/filters.h"
#include "cli/mapping_sources.h"
#include "cli/messages.h"
#include "fetch/process.h"
#include "profile/codec.h"
#include "profile/merge.h"
#include "profile/prune.h"
#include "symbolize/symbolize.h"

/* So many sources are fetched at once before their profiles are merged: it bounds memory. */
#define CHUNK 128

/* --- one source -------------------------------------------------------------------------------------------------------- */

struct job {
	const char *source;
	const struct options *options;
	sem_t *decoders; /* as many as processors: fetching waits, decoding computes */
	struct profile profile;
	struct mapping_sources urls;
	bool is_url;
	enum status status;
	struct error err;
};

static struct fetch_options fetch_options_of(const struct options *options)
{
	struct fetch_options fetch = options->fetch;
	fetch.notice = message_line;
	return fetch;
}

static enum status parse_fetched(struct job *job, struct fetched *fetched)
{
	enum status status = profile_parse(&fetched->bytes, &job->profile, &job->err);
	if (status != STATUS_OK) {
		/* A login page or an error in words: what it says helps more than that it is no profile. */
		size_t used = strlen(job->err.message);
		if (fetched->text_hint)
			snprintf(job->err.message + used, sizeof(job->err.message) - used, "%s", fetched->text_hint);
		return status;
	}
	struct symbolize_options symbols = { .notice = message_warning };
	symbolize_locate_binaries(&job->profile, job->options->binary, job->options->build_id, &symbols);
	if (fetched->is_url)
		mapping_sources_collect(&job->urls, &job->profile, fetched->final_url);
	job->is_url = fetched->is_url;
	return STATUS_OK;
}

static void *run_job(void *argument)
{
	struct job *job = argument;
	struct fetched fetched;
	struct fetch_options fetch = fetch_options_of(job->options);
	job->status = fetch_source(job->source, &fetch, profile_ceiling(), &fetched, &job->err);
	if (job->status != STATUS_OK)
		return NULL;
	while (job->decoders && sem_wait(job->decoders) != 0)
		continue; /* a signal came between */
	job->status = parse_fetched(job, &fetched);
	if (job->decoders)
		sem_post(job->decoders);
	fetched_release(&fetched);
	return NULL;
}

/* --- several sources ------------------------------------------------------------------------------------------------- */

/* The sources, or the bases: what they come to. */
struct group {
	const struct options *options;
	char *const *sources;
	size_t source_count;
	sem_t *decoders;

	struct profile profile; /* if count > 0 */
	struct mapping_sources urls;
	bool any_url;
	size_t count; /* sources that could be read */
	enum status status;
	struct error err;
};

/* Merges the profiles, which are used up, into *ret_profile. */
static enum status combine(struct profile *profiles[], size_t count, struct profile *ret_profile, struct error *err)
{
	enum status status = profile_make_compatible(profiles, count, err);
	if (status == STATUS_OK && count == 1) {
		*ret_profile = *profiles[0];
		return STATUS_OK;
	}
	struct profile merged;
	if (status == STATUS_OK)
		status = profile_merge(profiles, count, &merged, err);
	for (size_t i = 0; i < count; i++)
		profile_release(profiles[i]);
	if (status == STATUS_OK)
		*ret_profile = merged;
	return status;
}

static void tell_failure(const struct job *job)
{
	char *name = fetch_source_name(job->source);
	message_warningf("%s: %s", name, job->err.message);
	free(name);
	if (*job->source == '-')
		message_warningf("%s is taken as a source: options go in front of the first source", job->source);
}

/* Adds what a chunk of jobs has brought. */
static enum status add_jobs(struct group *group, struct job *jobs, size_t job_count)
{
	struct profile *profiles[CHUNK];
	size_t count = 0;
	struct profile earlier = group->profile;
	for (size_t i = 0; i < job_count; i++) {
		if (jobs[i].status != STATUS_OK) {
			tell_failure(&jobs[i]);
			continue;
		}
		profiles[count++] = &jobs[i].profile;
		mapping_sources_append(&group->urls, &jobs[i].urls);
		group->any_url = group->any_url || jobs[i].is_url;
	}
	if (count == 0)
		return STATUS_OK;
	struct profile chunk;
	enum status status = combine(profiles, count, &chunk, &group->err);
	bool chunk_failed = status != STATUS_OK;
	if (status == STATUS_OK && group->count > 0) {
		struct profile *both[] = { &earlier, &chunk };
		status = combine(both, 2, &group->profile, &group->err);
	} else if (status == STATUS_OK) {
		group->profile = chunk;
	}
	if (status != STATUS_OK && group->count > 0 && chunk_failed)
		profile_release(&earlier);
	group->count = status == STATUS_OK ? group->count + count : 0;
	return status;
}

static void run_jobs(struct job *jobs, size_t count)
{
	pthread_t threads[CHUNK];
	bool started[CHUNK] = { false };
	for (size_t i = 1; i < count; i++)
		started[i] = pthread_create(&threads[i], NULL, run_job, &jobs[i]) == 0;
	for (size_t i = 0; i < count; i++) {
		if (started[i])
			pthread_join(threads[i], NULL);
		else
			run_job(&jobs[i]);
	}
}

static void *run_group(void *argument)
{
	struct group *group = argument;
	for (size_t start = 0; start < group->source_count && group->status == STATUS_OK; start += CHUNK) {
		size_t count = group->source_count - start < CHUNK ? group->source_count - start : CHUNK;
		struct job *jobs = xcalloc(count, sizeof(*jobs));
		for (size_t i = 0; i < count; i++)
			jobs[i] = (struct job){ group->sources[start + i], group->options, .decoders = group->decoders };
		run_jobs(jobs, count);
		group->status = add_jobs(group, jobs, count);
		free(jobs);
	}
	return NULL;
}

static void group_release(struct group *group)
{
	if (group->count > 0)
		profile_release(&group->profile);
	mapping_sources_release(&group->urls);
}

static void run_groups(struct group *sources, struct group *bases)
{
	sem_t decoders;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	if (sources->source_count + bases->source_count > 1 &&
	    sem_init(&decoders, 0, processors > 0 ? (unsigned)processors : 1) == 0)
		sources->decoders = bases->decoders = &decoders;
	pthread_t thread;
	bool parallel = bases->source_count > 0 && pthread_create(&thread, NULL, run_group, bases) == 0;
	run_group(sources);
	if (parallel)
		pthread_join(thread, NULL);
	else
		run_group(bases);
	if (sources->decoders) {
		sem_destroy(&decoders);
		sources->decoders = bases->decoders = NULL;
	}
}

static void tell_missing(const struct group *group, const char *what)
{
	if (group->count != group->source_count)
		message_warningf("Fetched %zu %s profiles out of %zu", group->count, what, group->source_count);
}

static enum status check_groups(const struct group *sources, const struct group *bases, struct error *err)
{
	if (sources->status != STATUS_OK)
		return error_set(err, sources->status, "problem fetching source profiles: %s", sources->err.message);
	if (bases->status != STATUS_OK)
		return error_set(err, bases->status, "problem fetching base profiles: %s,", bases->err.message);
	if (sources->count == 0)
		return error_set(err, STATUS_NOT_FOUND, "failed to fetch any source profiles");
	if (bases->count == 0 && bases->source_count > 0)
		return error_set(err, STATUS_NOT_FOUND, "failed to fetch any base profiles");
	tell_missing(sources, "source");
	tell_missing(bases, "base");
	return STATUS_OK;
}

/* Sources minus bases, into sources. */
static enum status subtract(const struct options *options, struct group *sources, struct group *bases,
                            struct error *err)
{
	if (options->is_diff_base)
		profile_set_text_label(&bases->profile, "pprof::base", "true");
	if (options->config.normalize) {
		enum status status = profile_normalize(&sources->profile, &bases->profile, err);
		if (status != STATUS_OK)
			return status;
	}
	profile_scale(&bases->profile, -1);
	struct profile left = sources->profile, right = bases->profile;
	struct profile *both[] = { &left, &right };
	sources->count = bases->count = 0; /* used up, whatever comes of it */
	enum status status = combine(both, 2, &sources->profile, err);
	if (status != STATUS_OK)
		return status;
	sources->count = 1;
	sources->any_url = sources->any_url || bases->any_url;
	mapping_sources_append(&sources->urls, &bases->urls);
	return STATUS_OK;
}

/* --- what follows the merge ------------------------------------------------------------------------------------------- */

/* An expression of the profile that must match the whole name; NULL if it is none or cannot be compiled, which is the
 * writer's mistake and no reason to refuse the profile. */
static struct regexp *compile_whole(const struct profile *profile, uint32_t pattern, bool *ret_bad)
{
	struct str text = profile_str(profile, pattern);
	struct regexp *regexp = NULL;
	if (text.length == 0)
		return NULL;
	struct buffer anchored;
	buffer_init(&anchored, BUFFER_UNLIMITED);
	buffer_append_text(&anchored, "^(");
	buffer_append_str(&anchored, text);
	buffer_append_text(&anchored, ")$");
	*ret_bad = regexp_compile(buffer_str(&anchored), &regexp, NULL) != STATUS_OK;
	buffer_release(&anchored);
	return *ret_bad ? NULL : regexp;
}

static void prune(struct profile *profile)
{
	bool bad_drop = false, bad_keep = false;
	struct regexp *drop = compile_whole(profile, profile->drop_frames, &bad_drop);
	struct regexp *keep = drop ? compile_whole(profile, profile->keep_frames, &bad_keep) : NULL;
	if (drop && !bad_keep) {
		struct matcher drop_matcher = regexp_matcher(drop), keep_matcher = regexp_matcher(keep);
		profile_prune_frames(profile, &drop_matcher, &keep_matcher);
	}
	regexp_free(drop);
	regexp_free(keep);
}

static enum status symbolize(const struct options *options, struct group *group, struct error *err)
{
	struct symbolize_options symbols = { .notice = message_warning };
	bool remote;
	symbolize_options_parse(options->symbolize, &symbols, &remote);
	if (symbols.none)
		return STATUS_OK;
	struct profile *profile = &group->profile;
	if (symbols.local || symbols.fast_local)
		symbolize_local(profile, &symbols);
	if (remote) {
		struct fetch_options fetch = fetch_options_of(options);
		enum status status = mapping_sources_symbolize(&group->urls, profile, symbols.force, &fetch, err);
		if (status != STATUS_OK)
			return status;
	}
	symbolize_demangle_profile(profile, &symbols);
	return STATUS_OK;
}

/* pprof.BINARY.TYPE.TYPE. — what the saved file's name begins with. */
static char *save_prefix(const struct profile *profile)
{
	struct buffer name;
	buffer_init(&name, BUFFER_UNLIMITED);
	buffer_append_text(&name, "pprof.");
	struct str file = profile->mapping_count ? profile_str(profile, profile->mappings[0].file) : STR_LITERAL("");
	if (file.length)
		buffer_printf(&name, "%.*s.", STR_ARG(str_base_name(file)));
	for (uint32_t k = 0; k < profile->sample_type_count; k++)
		buffer_printf(&name, "%.*s.", STR_ARG(profile_str(profile, profile->sample_types[k].type)));
	return buffer_take(&name, NULL);
}

static void save(const struct options *options, const struct profile *profile)
{
	struct buffer bytes;
	struct error err;
	char *prefix = save_prefix(profile), *path = NULL;
	struct fetch_options fetch = fetch_options_of(options);
	buffer_init(&bytes, BUFFER_UNLIMITED);
	enum status status = profile_encode_gzip(profile, &bytes, &err);
	if (status == STATUS_OK)
		status = fetch_save(prefix, ".pb.gz", buffer_str(&bytes), &fetch, &path, &err);
	if (status == STATUS_OK) {
		char *line = xasprintf("Saved profile in %s", path);
		message_line(NULL, line);
		free(line);
	} else {
		message_warningf("Could not save profile: %s", err.message);
	}
	buffer_release(&bytes);
	free(path);
	free(prefix);
}

static enum status finish(const struct options *options, struct group *group, struct error *err)
{
	struct profile *profile = &group->profile;
	if (options->all_frames)
		profile->drop_frames = profile->keep_frames = 0;
	enum status status = symbolize(options, group, err);
	if (status != STATUS_OK)
		return status;
	prune(profile);
	mapping_sources_unname(profile);
	if (*options->comment)
		profile_add_comment(profile, str_of(options->comment));
	if (group->any_url)
		save(options, profile);
	return profile_check(profile, err);
}

/* The sources with those of names replaced by the processes that have them; owned texts. */
static char **expand_sources(char *const *sources, size_t count, size_t *ret_count)
{
	char **all = NULL;
	size_t used = 0, capacity = 0;
	for (size_t i = 0; i < count; i++) {
		char **some = process_sources_expand(sources[i]);
		for (size_t k = 0; some[k]; k++) {
			all = xgrow(all, used, &capacity, sizeof(*all));
			all[used++] = some[k];
		}
		free(some);
	}
	*ret_count = used;
	return all;
}

static void free_sources(char **sources, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(sources[i]);
	free(sources);
}

enum status acquire_profile(const struct options *options, struct profile *ret_profile, struct error *err)
{
	char *base = options->base ? xstrdup(options->base) : NULL;
	size_t source_count, base_count;
	char **all_sources = expand_sources(options->sources, options->source_count, &source_count);
	char **all_bases = expand_sources(&base, base != NULL, &base_count);
	free(base);
	struct group sources = { .options = options, .sources = all_sources, .source_count = source_count };
	struct group bases = { .options = options, .sources = all_bases, .source_count = base_count };
	run_groups(&sources, &bases);
	enum status status = check_groups(&sources, &bases, err);
	if (status == STATUS_OK && bases.count > 0)
		status = subtract(options, &sources, &bases, err);
	if (status == STATUS_OK)
		status = finish(options, &sources, err);
	if (status == STATUS_OK) {
		*ret_profile = sources.profile;
		sources.count = 0;
	}
	group_release(&sources);
	group_release(&bases);
	free_sources(all_sources, source_count);
	free_sources(all_bases, base_count);
	return status;
}
