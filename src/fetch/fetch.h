/* fetch.h - from a source as the user typed it to the bytes behind it: files, URLs, local sockets; and where fetched
 * profiles are saved. Knows no profile format beyond the first bytes; merging is src/cli/'s.
 */
#ifndef CPPROF_FETCH_FETCH_H
#define CPPROF_FETCH_FETCH_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/status.h"
#include "base/str.h"

/* What the command line says about fetching; all strings are borrowed and may be NULL or "". */
struct fetch_options {
	int seconds;             /* -seconds: asked duration; <= 0 = not given */
	int timeout_seconds;     /* -timeout; <= 0 = not given */
	const char *tls_cert;    /* PEM file, with tls_key */
	const char *tls_key;     /* PEM file */
	const char *tls_ca;      /* PEM file that replaces the system's roots */
	const char *unix_socket; /* -unix PATH: every URL is fetched through this socket ('@' in front: abstract) */
	/* Called with one line without newline for the user (stderr): "Fetching profile over HTTP from ...". May be called
	 * from several threads at once. */
	void (*notice)(void *arg, const char *line);
	void *notice_arg;
};

/* One source, fetched. */
struct fetched {
	struct buffer bytes;
	bool is_url;     /* the profile is to be saved, and the URL can be asked for symbols */
	char *final_url; /* the URL that was asked, as sent; NULL for a file; owned */
};

/* True if the text is a URL rather than a file (a file of that name wins), and then *ret_url is the URL to ask:
 * http:// put in front where no scheme was given, /debug/pprof/profile where no path was given, seconds= set from the
 * options and the query sorted. The caller frees it. *ret_timeout_ns is the time limit that follows. */
bool fetch_classify(const char *source, const struct fetch_options *options, char **ret_url, int64_t *ret_duration_ns,
                    int64_t *ret_timeout_ns);

/* Reads one source, at most `ceiling` bytes. Thread safe once fetch_global_init was called.
 * Errors read like the reference's ("server response: 404 Not Found", "open x: no such file or directory") and say what
 * to do where that is not obvious; the caller prefixes the source's name. */
enum status fetch_source(const char *source, const struct fetch_options *options, size_t ceiling,
                         struct fetched *ret_fetched, struct error *err) CPPROF_MUST_USE;
void fetched_release(struct fetched *fetched);

/* Checks -tls_* and -unix once, before the first request. */
enum status fetch_global_init(const struct fetch_options *options, struct error *err) CPPROF_MUST_USE;
void fetch_global_cleanup(void);

/* POST of `body` (symbolz); the answer replaces *ret_answer. */
enum status fetch_post(const char *url, struct str body, const struct fetch_options *options,
                       struct buffer *ret_answer, struct error *err) CPPROF_MUST_USE;

/* Writes `bytes` as a new file named PREFIX + three-digit counter + SUFFIX in the first usable of $PPROF_TMPDIR,
 * $HOME/pprof, the system's temporary directory; an existing file is never touched and a half-written one is removed.
 * `notice` hears of directories that could not be used. The caller frees *ret_path. */
enum status fetch_save(const char *prefix, const char *suffix, struct str bytes, const struct fetch_options *options,
                       char **ret_path, struct error *err) CPPROF_MUST_USE;

#endif
