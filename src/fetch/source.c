/* source.c - a source as the user typed it: file or URL, and its bytes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/duration.h"
#include "base/xalloc.h"
#include "fetch/curl_library.h"
#include "fetch/fetch.h"
#include "fetch/file.h"
#include "fetch/http.h"
#include "fetch/process.h"
#include "fetch/transfer.h"
#include "fetch/url.h"

#define NS_PER_SECOND INT64_C(1000000000)
#define DEFAULT_PATH "/debug/pprof/profile"
/* How long a server takes for the profile at that path if it is not told. */
#define DEFAULT_PATH_SECONDS 30
#define DEFAULT_TIMEOUT_NS (60 * NS_PER_SECOND)
/* A server that was asked for N seconds answers a little later. */
#define TIMEOUT_MARGIN_NS (5 * NS_PER_SECOND)
/* So much of a text answer is shown. */
#define HINT_TEXT_SIZE 81
#define ERROR_TEXT_SIZE 1024

/* --- file or URL -------------------------------------------------------------------------------------------------- */

static bool exists(const char *source)
{
	struct stat status;
	return stat(source, &status) == 0;
}

/* True if the text is a URL with a host. "host:port/path" has no scheme, or so it seems: then http:// is put in front. */
static bool parse_source(const char *source, struct url *ret_url)
{
	bool good = url_parse(str_of(source), ret_url);
	if (good && !*ret_url->host && *ret_url->scheme && strcmp(ret_url->scheme, "file") != 0) {
		url_release(ret_url);
		good = false;
	}
	if (!good) {
		char *text = xasprintf("http://%s", source);
		good = url_parse(str_of(text), ret_url);
		free(text);
	}
	if (good && !*ret_url->host) {
		url_release(ret_url);
		good = false;
	}
	return good;
}

/* The parameter as Go reads a 32-bit decimal; 0 for what is none. */
static int64_t seconds_of(const char *text)
{
	const char *digits = *text == '+' || *text == '-' ? text + 1 : text;
	int64_t value = 0;
	if (!*digits)
		return 0;
	for (; *digits; digits++) {
		if (*digits < '0' || *digits > '9')
			return 0;
		value = value * 10 + (*digits - '0');
		if (value > INT32_MAX)
			return 0;
	}
	return *text == '-' ? 0 : value;
}

/* Path and seconds, where they were not given, and the times that follow from them. */
static void complete(const struct fetch_options *options, struct url *ret_url, int64_t *ret_duration_ns,
                     int64_t *ret_timeout_ns)
{
	if (!*ret_url->path || strcmp(ret_url->path, "/") == 0)
		url_set_path(ret_url, DEFAULT_PATH);
	char wanted[16], *in_url = NULL;
	snprintf(wanted, sizeof(wanted), "%d", options->seconds);
	url_normalize_query(ret_url, options->seconds > 0 ? wanted : NULL, &in_url);
	int64_t seconds = options->seconds > 0 ? options->seconds : in_url ? seconds_of(in_url) : 0;
	free(in_url);
	*ret_duration_ns = seconds * NS_PER_SECOND;
	if (options->timeout_seconds > 0)
		*ret_timeout_ns = options->timeout_seconds * NS_PER_SECOND;
	else
		*ret_timeout_ns = seconds > 0 ? *ret_duration_ns + *ret_duration_ns / 2 : DEFAULT_TIMEOUT_NS;
}

/* As fetch_classify, for what is no file; *ret_url is for the caller to release. */
static bool classify(const char *source, const struct fetch_options *options, struct url *ret_url,
                     int64_t *ret_duration_ns, int64_t *ret_timeout_ns)
{
	if (!parse_source(source, ret_url))
		return false;
	complete(options, ret_url, ret_duration_ns, ret_timeout_ns);
	return true;
}

bool fetch_classify(const char *source, const struct fetch_options *options, char **ret_url, int64_t *ret_duration_ns,
                    int64_t *ret_timeout_ns)
{
	struct url url;
	if (exists(source) || !classify(source, options, &url, ret_duration_ns, ret_timeout_ns))
		return false;
	*ret_url = url_text(&url, false);
	url_release(&url);
	return true;
}

char *fetch_source_name(const char *source)
{
	const char *slashes = strstr(source, "://");
	const char *authority = slashes ? slashes + 3 : source;
	size_t length = strcspn(authority, "/?#");
	const char *at = memrchr(authority, '@', length);
	const char *colon = at ? memchr(authority, ':', (size_t)(at - authority)) : NULL;
	if (!colon || exists(source))
		return xstrdup(source);
	return xasprintf("%.*s:***%s", (int)(colon - source), source, at);
}

/* --- fetching ----------------------------------------------------------------------------------------------------- */

static enum status read_file(const char *source, const struct fetch_options *options, struct buffer *bytes,
                             struct error *err)
{
	if (perf_file_detect(source))
		return perf_file_convert(source, options, bytes, err);
	return file_read(source, bytes, err);
}

static void tell_fetching(const char *source, const struct url *url, bool default_path,
                          const struct fetch_options *options)
{
	char *shown = process_url_is(url) ? xstrdup(source) : url_text(url, true);
	char *line = xasprintf("Fetching profile over HTTP from %s", shown);
	options->notice(options->notice_arg, line);
	free(line);
	free(shown);
	int64_t seconds = options->seconds > 0 ? options->seconds : default_path ? DEFAULT_PATH_SECONDS : 0;
	if (seconds > 0) {
		char duration[DURATION_TEXT_SIZE];
		duration_text(duration, seconds * NS_PER_SECOND);
		line = xasprintf("Please wait... (%s)", duration);
		options->notice(options->notice_arg, line);
		free(line);
	}
}

/* An answer other than 200. Only what a pprof handler says is worth showing: a web server's error page is not. */
static enum status status_error(const struct http_answer *answer, struct error *err)
{
	if (!answer->is_go_pprof || !strstr(answer->content_type, "text/plain"))
		return error_set(err, STATUS_NETWORK, "server response: %s", answer->status_line);
	char text[ERROR_TEXT_SIZE];
	transfer_clean_text(buffer_str(&answer->body), text, sizeof(text));
	return error_set(err, STATUS_NETWORK, "server response: %s - %s", answer->status_line, text);
}

/* What to say if the answer turns out to be no profile; NULL if it does not call itself text. Profiles do, too: the
 * legacy ones. */
static char *text_hint(const struct http_answer *answer)
{
	if (strncasecmp(answer->content_type, "text/", 5) != 0)
		return NULL;
	char words[HINT_TEXT_SIZE];
	struct str start = buffer_str(&answer->body);
	if (start.length > 4096)
		start.length = 4096;
	transfer_clean_text(start, words, sizeof(words));
	int type_length = (int)strcspn(answer->content_type, "; ");
	return xasprintf(" (the server sent %.*s: \"%s\"; is the address right?)", type_length, answer->content_type,
	                 words);
}

static enum status fetch_url(const struct url *url, int64_t timeout_ns, const struct fetch_options *options,
                             size_t ceiling, struct fetched *fetched, struct error *err)
{
	struct http_request request = {
		.url = url,
		.timeout_ns = timeout_ns + TIMEOUT_MARGIN_NS,
		.options = options,
	};
	struct http_answer answer = { 0 };
	buffer_init(&answer.body, ceiling);
	enum status status = http_exchange(&request, &answer, err);
	if (status != STATUS_OK && answer.status_code != 200)
		error_prefix(err, "http fetch: ");
	if (status == STATUS_OK && answer.status_code != 200)
		status = status_error(&answer, err);
	if (status == STATUS_OK) {
		fetched->is_url = true;
		fetched->final_url = url_text(url, false);
		fetched->text_hint = text_hint(&answer);
		buffer_release(&fetched->bytes);
		fetched->bytes = answer.body;
	} else {
		buffer_release(&answer.body);
	}
	return status;
}

static enum status fetch_from(const char *source, const struct url *url, int64_t timeout_ns,
                              const struct fetch_options *options, size_t ceiling, struct fetched *fetched,
                              struct error *err)
{
	bool default_path = strcmp(url->path, DEFAULT_PATH) == 0 && !*url->query && !strstr(source, DEFAULT_PATH);
	tell_fetching(source, url, default_path, options);
	return fetch_url(url, timeout_ns, options, ceiling, fetched, err);
}

enum status fetch_source(const char *source, const struct fetch_options *options, size_t ceiling,
                         struct fetched *ret_fetched, struct error *err)
{
	struct fetched fetched = { 0 };
	struct stat file_status;
	buffer_init(&fetched.bytes, ceiling);
	struct url url;
	int64_t duration_ns, timeout_ns;
	enum status status;
	int stat_errno = stat(source, &file_status) == 0 ? 0 : errno;
	if (!stat_errno) {
		status = read_file(source, options, &fetched.bytes, err);
	} else if (process_source_is(source)) {
		status = process_source_url(source, &url, err);
		if (status == STATUS_OK) {
			complete(options, &url, &duration_ns, &timeout_ns);
			status = fetch_from(source, &url, timeout_ns, options, ceiling, &fetched, err);
			url_release(&url);
		}
	} else if (classify(source, options, &url, &duration_ns, &timeout_ns)) {
		status = fetch_from(source, &url, timeout_ns, options, ceiling, &fetched, err);
		url_release(&url);
	} else {
		char *name = fetch_source_name(source);
		status = error_set_errno(err, stat_errno, "stat %s", name);
		free(name);
	}
	if (status == STATUS_OK)
		*ret_fetched = fetched;
	else
		fetched_release(&fetched);
	return status;
}

void fetched_release(struct fetched *fetched)
{
	buffer_release(&fetched->bytes);
	free(fetched->final_url);
	free(fetched->text_hint);
	*fetched = (struct fetched){ 0 };
}

enum status fetch_post(const char *url, struct str body, const struct fetch_options *options, struct buffer *answer,
                       struct error *err)
{
	struct http_answer got = { 0 };
	buffer_init(&got.body, answer->ceiling);
	struct url parsed;
	enum status status;
	if (url_parse(str_of(url), &parsed)) {
		struct http_request request = { .url = &parsed, .is_post = true, .body = body, .options = options };
		status = http_exchange(&request, &got, err);
		url_release(&parsed);
	} else {
		status = error_set(err, STATUS_INVALID, "this is no URL");
	}
	if (status == STATUS_OK && got.status_code != 200)
		status = status_error(&got, err);
	if (status != STATUS_OK) {
		char *shown = fetch_source_name(url);
		error_prefix(err, "http post %s: ", shown);
		free(shown);
		buffer_release(&got.body);
		return status;
	}
	buffer_release(answer);
	*answer = got.body;
	return STATUS_OK;
}

void fetch_global_cleanup(void)
{
	curl_library_release();
}
