/* url.h - URLs by Go's rules (net/url): what parses, and how it is written again. Not here: which source is a URL
 * (source.c), requests (http.c).
 */
#ifndef CPPROF_FETCH_URL_H
#define CPPROF_FETCH_URL_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/str.h"

/* The parts are owned strings, never NULL after url_parse returned true. */
struct url {
	char *scheme;     /* lower case; "" = none */
	char *opaque;     /* what follows "scheme:" where no slash does */
	char *user;       /* decoded; NULL = no user part */
	char *password;   /* decoded; NULL = none */
	char *host;       /* as it is sent: escaped, with the port */
	char *path;       /* as it is sent: escaped */
	char *query;      /* raw, without '?' */
	char *fragment;   /* escaped, without '#' */
	bool force_query; /* a lone '?' at the end is kept */
};

/* Splits the text; false if Go's parser refuses it (*ret_url needs no release then). */
bool url_parse(struct str text, struct url *ret_url);
void url_release(struct url *url);

/* The URL as Go writes it; the password, if there is one, as *** when `hide_password`. The caller frees it. */
char *url_text(const struct url *url, bool hide_password);

/* The host without port and brackets (which an IPv6 address has), and the port ("" = none given). Views of url->host. */
struct str url_host_name(const struct url *url);
struct str url_port(const struct url *url);
/* True if the two have the same scheme and host. */
bool url_same_origin(const struct url *a, const struct url *b);

/* Replaces the path. */
void url_set_path(struct url *url, const char *path);

/* Writes the query again: sorted by name, escaped afresh, without what cannot be decoded. With `seconds` not NULL that
 * replaces any parameter seconds. *ret_seconds becomes the value that the parameter had (owned; NULL = absent). */
void url_normalize_query(struct url *url, const char *seconds, char **ret_seconds);

#endif
