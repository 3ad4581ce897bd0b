/* url.c - splitting and writing URLs. */
#include "fetch/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "fetch/escape.h"

static char *str_dup(struct str text)
{
	return xstrndup(text.data, text.length);
}

/* Cuts at the first `separator`: *ret_before gets what precedes it, the result is what follows (empty if absent). */
static struct str cut(struct str text, char separator, struct str *ret_before)
{
	const char *at = memchr(text.data, separator, text.length);
	size_t length = at ? (size_t)(at - text.data) : text.length;
	*ret_before = (struct str){ text.data, length };
	return str_from(text, at ? length + 1 : length);
}

static const char *last_of(struct str text, char c)
{
	return memrchr(text.data, c, text.length);
}

/* Decodes and encodes again; NULL if it cannot be decoded. A spelling that is valid as it stands is kept. */
static char *recode(struct str raw, enum url_part part)
{
	struct buffer plain, coded;
	buffer_init(&plain, BUFFER_UNLIMITED);
	buffer_init(&coded, BUFFER_UNLIMITED);
	char *result = NULL;
	if (url_unescape(raw, part, &plain)) {
		if (url_valid_encoded(raw, part))
			buffer_append_str(&coded, raw);
		else
			url_escape(buffer_str(&plain), part, &coded);
		result = buffer_take(&coded, NULL);
	}
	buffer_release(&plain);
	buffer_release(&coded);
	return result;
}

static bool has_control_character(struct str text)
{
	for (size_t i = 0; i < text.length; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if (c < ' ' || c == 0x7F)
			return true;
	}
	return false;
}

/* *ret_scheme is empty where none was given; false for a colon in front. */
static bool split_scheme(struct str text, struct str *ret_scheme, struct str *ret_rest)
{
	*ret_scheme = STR_LITERAL("");
	*ret_rest = text;
	for (size_t i = 0; i < text.length; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if (c == ':' && i == 0)
			return false;
		if (c == ':') {
			*ret_scheme = (struct str){ text.data, i };
			*ret_rest = str_from(text, i + 1);
			return true;
		}
		bool later = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
		if (!(c < 0x80 && isalpha(c)) && !(i > 0 && later))
			return true;
	}
	return true;
}

static bool valid_user_info(struct str text)
{
	for (size_t i = 0; i < text.length; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if (!c || c >= 0x80 || (!isalnum(c) && !strchr("-._:~!$&'()*+,;=%@", c)))
			return false;
	}
	return true;
}

static char *decode(struct str text, enum url_part part)
{
	struct buffer plain;
	buffer_init(&plain, BUFFER_UNLIMITED);
	/* A zero byte cannot be sent as user or password. */
	bool good = url_unescape(text, part, &plain) && !memchr(buffer_text(&plain), '\0', plain.length);
	char *result = good ? buffer_take(&plain, NULL) : NULL;
	buffer_release(&plain);
	return result;
}

static bool parse_user(struct url *url, struct str text)
{
	if (!valid_user_info(text))
		return false;
	bool has_password = memchr(text.data, ':', text.length) != NULL;
	struct str user, password = cut(text, ':', &user);
	url->user = decode(user, URL_USER);
	if (has_password)
		url->password = decode(password, URL_USER);
	return url->user && (!has_password || url->password);
}

static bool valid_optional_port(struct str text)
{
	for (size_t i = 0; i < text.length; i++) {
		if (i == 0 ? text.data[i] != ':' : (text.data[i] < '0' || text.data[i] > '9'))
			return false;
	}
	return true;
}

/* An IPv6 address, with a zone or without; decoded. */
static bool valid_ip_literal(const char *text)
{
	char address[INET6_ADDRSTRLEN];
	const char *zone = strchr(text, '%');
	size_t length = zone ? (size_t)(zone - text) : strlen(text);
	if (length >= sizeof(address) || (zone && !zone[1]))
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	struct in6_addr parsed;
	return inet_pton(AF_INET6, address, &parsed) == 1;
}

/* "[address%25zone]:port"; appends it decoded. */
static bool decode_ip_literal(struct str host, struct buffer *to)
{
	const char *close = last_of(host, ']');
	if (!close)
		return false;
	struct str port = str_from(host, (size_t)(close - host.data) + 1);
	struct str name = { host.data + 1, (size_t)(close - host.data) - 1 };
	const char *zone = memmem(name.data, name.length, "%25", 3);
	struct str address = { name.data, zone ? (size_t)(zone - name.data) : name.length };
	buffer_append_char(to, '[');
	if (!valid_optional_port(port) || !url_unescape(address, URL_HOST, to) ||
	    !url_unescape(str_from(name, address.length), URL_ZONE, to) || !valid_ip_literal(buffer_text(to) + 1))
		return false;
	buffer_append_char(to, ']');
	buffer_append_str(to, port);
	return true;
}

static bool decode_host(struct str scheme, struct str host, struct buffer *to)
{
	const char *bracket = last_of(host, '[');
	if (bracket == host.data && bracket)
		return decode_ip_literal(host, to);
	if (bracket)
		return false;
	/* Only http and https are strict about a second colon. */
	bool strict = str_equal(scheme, STR_LITERAL("http")) || str_equal(scheme, STR_LITERAL("https"));
	const char *colon = strict ? memchr(host.data, ':', host.length) : last_of(host, ':');
	if (colon && !valid_optional_port(str_from(host, (size_t)(colon - host.data))))
		return false;
	return url_unescape(host, URL_HOST, to);
}

static bool parse_authority(struct url *url, struct str text)
{
	const char *at = last_of(text, '@');
	struct str host = at ? str_from(text, (size_t)(at - text.data) + 1) : text;
	struct buffer plain, coded;
	buffer_init(&plain, BUFFER_UNLIMITED);
	buffer_init(&coded, BUFFER_UNLIMITED);
	bool good = decode_host(str_of(url->scheme), host, &plain);
	if (good) {
		url_escape(buffer_str(&plain), URL_HOST, &coded);
		free(url->host);
		url->host = buffer_take(&coded, NULL);
	}
	buffer_release(&plain);
	buffer_release(&coded);
	return good && (!at || parse_user(url, (struct str){ text.data, (size_t)(at - text.data) }));
}

/* What follows the scheme, without query and fragment. */
static bool parse_hierarchy(struct url *url, struct str rest)
{
	if (!str_starts_with(rest, STR_LITERAL("/"))) {
		if (*url->scheme) {
			free(url->opaque);
			url->opaque = str_dup(rest);
			return true;
		}
		struct str segment;
		cut(rest, '/', &segment);
		if (memchr(segment.data, ':', segment.length))
			return false;
	}
	if (str_starts_with(rest, STR_LITERAL("//")) && (*url->scheme || !str_starts_with(rest, STR_LITERAL("///")))) {
		struct str authority;
		cut(str_from(rest, 2), '/', &authority);
		rest = str_from(rest, 2 + authority.length);
		if (!parse_authority(url, authority))
			return false;
	}
	free(url->path);
	url->path = recode(rest, URL_PATH);
	return url->path;
}

static bool parse(struct url *url, struct str text, struct str fragment)
{
	struct str scheme, rest;
	if (has_control_character(text) || !split_scheme(text, &scheme, &rest))
		return false;
	free(url->scheme);
	url->scheme = str_dup(scheme);
	for (char *c = url->scheme; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	const char *question = memchr(rest.data, '?', rest.length);
	struct str before, query = cut(rest, '?', &before);
	url->force_query = question && query.length == 0;
	free(url->query);
	url->query = str_dup(query);
	free(url->fragment);
	url->fragment = recode(fragment, URL_FRAGMENT);
	return url->fragment && parse_hierarchy(url, before);
}

bool url_parse(struct str text, struct url *ret_url)
{
	struct url url = {
		.scheme = xstrdup(""),
		.opaque = xstrdup(""),
		.host = xstrdup(""),
		.path = xstrdup(""),
		.query = xstrdup(""),
		.fragment = xstrdup(""),
	};
	struct str before, fragment = cut(text, '#', &before);
	if (!parse(&url, before, fragment)) {
		url_release(&url);
		return false;
	}
	*ret_url = url;
	return true;
}

void url_release(struct url *url)
{
	free(url->scheme);
	free(url->opaque);
	free(url->user);
	free(url->password);
	free(url->host);
	free(url->path);
	free(url->query);
	free(url->fragment);
	*url = (struct url){ 0 };
}

char *url_text(const struct url *url, bool hide_password)
{
	struct buffer text;
	buffer_init(&text, BUFFER_UNLIMITED);
	if (*url->scheme)
		buffer_printf(&text, "%s:", url->scheme);
	buffer_append_text(&text, url->opaque);
	if (!*url->opaque && (*url->host || url->user)) {
		buffer_append_text(&text, "//");
		if (url->user) {
			url_escape(str_of(url->user), URL_USER, &text);
			if (url->password)
				buffer_append_char(&text, ':');
			if (url->password && hide_password)
				buffer_append_text(&text, "***");
			else if (url->password)
				url_escape(str_of(url->password), URL_USER, &text);
			buffer_append_char(&text, '@');
		}
		buffer_append_text(&text, url->host);
	}
	if (!*url->opaque)
		buffer_append_text(&text, url->path);
	if (url->force_query || *url->query)
		buffer_printf(&text, "?%s", url->query);
	if (*url->fragment)
		buffer_printf(&text, "#%s", url->fragment);
	return buffer_take(&text, NULL);
}

struct str url_port(const struct url *url)
{
	struct str host = str_of(url->host);
	const char *colon = last_of(host, ':'), *close = last_of(host, ']');
	return colon && (!close || colon > close) ? str_of(colon + 1) : STR_LITERAL("");
}

struct str url_host_name(const struct url *url)
{
	struct str host = str_of(url->host);
	const char *close = last_of(host, ']');
	if (close && *host.data == '[')
		return (struct str){ host.data + 1, (size_t)(close - host.data) - 1 };
	const char *colon = last_of(host, ':');
	return colon ? (struct str){ host.data, (size_t)(colon - host.data) } : host;
}

bool url_same_origin(const struct url *a, const struct url *b)
{
	return strcmp(a->scheme, b->scheme) == 0 && strcasecmp(a->host, b->host) == 0;
}

void url_set_path(struct url *url, const char *path)
{
	free(url->path);
	url->path = xstrdup(path);
}
