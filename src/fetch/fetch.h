/* fetch.h - from a source as the user typed it to the bytes behind it: files, URLs, local sockets; and where fetched
 * profiles are saved. Knows no profile format beyond the first bytes; merging is src/cli/'s.
 */
#ifndef CPPROF_FETCH_FETCH_H
#define CPPROF_FETCH_FETCH_H

#include <stdbool.h>
#include <stdint.h>

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
	char *final_url; /* the URL that was asked, with its password; NULL for a file; owned */
	/* To be put behind "unrecognized profile format" where the server sent text instead of a profile:
	 * " (the server sent text/html: \"Please log in\"; is the address right?)". NULL if it did not; owned. */
	char *text_hint;
};

/* Besides files and URLs, fetch_source takes "pid:1234/heap" and "name:nginx/heap" (fetch/process.h). */

/* True if the text is a URL rather than a file (a file of that name wins), and then *ret_url is the URL to ask:
 * http:// put in front where no scheme was given, /debug/pprof/profile where no path was given, seconds= set from the
 * options and the query sorted. The caller frees it. *ret_duration_ns is the duration that was asked for, 0 if none is
 * known; *ret_timeout_ns the time limit that follows, without the 5 s that are added to it for the exchange. */
bool fetch_classify(const char *source, const struct fetch_options *options, char **ret_url, int64_t *ret_duration_ns,
                    int64_t *ret_timeout_ns);

/* The source as it may be shown: a URL's password is replaced by ***. The caller frees it. */
char *fetch_source_name(const char *source);

/* Reads one source, at most `ceiling` bytes. Thread safe. libcurl is loaded at the first URL; -tls_* and -unix are
 * checked there, too. Errors read like the reference's ("server response: 404 Not Found", "open x: no such file or
 * directory") and say what to do where that is not obvious; the caller prefixes fetch_source_name(). */
enum status fetch_source(const char *source, const struct fetch_options *options, size_t ceiling,
                         struct fetched *ret_fetched, struct error *err) CPPROF_MUST_USE;
void fetched_release(struct fetched *fetched);

/* POST of `body` (symbolz), without a time limit; the answer replaces what is in *answer, whose ceiling bounds it. The
 * error begins with "http post URL: ". Thread safe. */
enum status fetch_post(const char *url, struct str body, const struct fetch_options *options, struct buffer *answer,
                       struct error *err) CPPROF_MUST_USE;

/* Before the program ends, when no other thread fetches: releases what libcurl holds. Nothing can be fetched after it. */
void fetch_global_cleanup(void);

/* Writes `bytes` as a new file named PREFIX + three-digit counter + SUFFIX in the first usable of $PPROF_TMPDIR,
 * $HOME/pprof, the system's temporary directory; an existing file is never touched and a half-written one is removed.
 * The prefix comes from the profile: '/' and control characters in it become '_', and what is too long for a file name
 * is cut. `notice` hears of directories that could not be made. The caller frees *ret_path. */
enum status fetch_save(const char *prefix, const char *suffix, struct str bytes, const struct fetch_options *options,
                       char **ret_path, struct error *err) CPPROF_MUST_USE;

#endif
