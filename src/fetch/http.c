/* http.c - HTTP by libcurl.
 *
 * Redirects are followed here and not by libcurl, because each hop has its own proxy by Go's rules and its own right to
 * the password.
 */
#include "fetch/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "fetch/process.h"
#include "fetch/proxy.h"
#include "fetch/tls.h"
#include "fetch/transfer.h"

#define REQUESTS_MAX 10
/* Of the body of an answer that is not a profile. */
#define ERROR_BODY_MAX ((size_t)16 * 1024)
/* Room made for an announced body at once; the announcement may be a lie. */
#define ANNOUNCED_MAX ((curl_off_t)64 * 1024 * 1024)

#define NS_PER_MS 1000000

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool given(const char *option)
{
	return option && *option;
}

/* --- what libcurl calls ------------------------------------------------------------------------------------------ */

/* "HTTP/1.1 404 Not Found": a new answer begins (an interim one, or the real one). */
static void begin_answer(struct http_answer *answer, struct str line)
{
	buffer_clear(&answer->body);
	answer->content_type[0] = '\0';
	answer->is_go_pprof = false;
	const char *blank = memchr(line.data, ' ', line.length);
	struct str status = blank ? str_from(line, (size_t)(blank - line.data)) : STR_LITERAL("");
	transfer_clean_text(status, answer->status_line, sizeof(answer->status_line));
	answer->status_code = atoi(answer->status_line);
}

/* True if the line is the header `name`; then *ret_value is what it says. */
static bool header_is(struct str line, const char *name, struct str *ret_value)
{
	size_t length = strlen(name);
	if (line.length <= length || strncasecmp(line.data, name, length) != 0 || line.data[length] != ':')
		return false;
	*ret_value = str_from(line, length + 1);
	return true;
}

static size_t on_header(char *data, size_t one, size_t length, void *argument)
{
	struct transfer *transfer = argument;
	struct http_answer *answer = transfer->answer;
	struct str line = { data, one * length }, value;
	char text[128];
	if (str_starts_with(line, STR_LITERAL("HTTP/"))) {
		begin_answer(answer, line);
	} else if (header_is(line, "Content-Type", &value)) {
		transfer_clean_text(value, answer->content_type, sizeof(answer->content_type));
	} else if (header_is(line, "X-Go-Pprof", &value)) {
		transfer_clean_text(value, text, sizeof(text));
		answer->is_go_pprof = *text != '\0';
	} else if (str_equal(line, STR_LITERAL("\r\n")) || str_equal(line, STR_LITERAL("\n"))) {
		transfer->has_header = answer->status_code >= 200;
	}
	return line.length;
}

static size_t on_body(char *data, size_t one, size_t length, void *argument)
{
	struct transfer *transfer = argument;
	struct buffer *body = &transfer->answer->body;
	size_t size = one * length;
	if (transfer->answer->status_code != 200) {
		if (body->length + size > ERROR_BODY_MAX)
			return 0;
	} else if (!body->data) {
		curl_off_t announced = 0;
		transfer->curl->easy_getinfo(transfer->handle, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
		if (announced > 0 && announced <= ANNOUNCED_MAX && (size_t)announced <= body->ceiling)
			buffer_reserve(body, (size_t)announced);
	}
	buffer_append(body, data, size);
	return body->overflow ? 0 : size;
}

/* Opens the socket as libcurl would, and notes the first address for the error. */
static curl_socket_t on_open_socket(void *argument, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct transfer *transfer = argument;
	char text[INET6_ADDRSTRLEN] = "";
	(void)purpose;
	if (!*transfer->dialed && to->family == AF_INET) {
		const struct sockaddr_in *address = (const void *)&to->addr;
		inet_ntop(AF_INET, &address->sin_addr, text, sizeof(text));
		snprintf(transfer->dialed, sizeof(transfer->dialed), "tcp %s:%u", text, ntohs(address->sin_port));
	} else if (!*transfer->dialed && to->family == AF_INET6) {
		const struct sockaddr_in6 *address = (const void *)&to->addr;
		inet_ntop(AF_INET6, &address->sin6_addr, text, sizeof(text));
		snprintf(transfer->dialed, sizeof(transfer->dialed), "tcp [%s]:%u", text, ntohs(address->sin6_port));
	}
	int fd = socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

/* --- setting up ----------------------------------------------------------------------------------------------------- */

/* The URL as libcurl wants it: the scheme on the wire; user, password and fragment are no part of the request line. */
static char *wire_url(const struct url *url)
{
	bool is_process = process_url_is(url);
	const char *scheme = is_process || strcmp(url->scheme, "http") == 0 ? "http" : "https";
	const char *question = *url->query || url->force_query ? "?" : "";
	/* ":6060" is this machine. */
	const char *before = is_process || *url->host == ':' ? "localhost" : "", *host = is_process ? "" : url->host;
	return xasprintf("%s://%s%s%s%s%s", scheme, before, host, *url->path ? url->path : "/", question, url->query);
}

static void set_text(const struct transfer *transfer, CURLoption option, const char *value)
{
	transfer->curl->easy_setopt(transfer->handle, option, value);
}

static void set_number(const struct transfer *transfer, CURLoption option, long value)
{
	transfer->curl->easy_setopt(transfer->handle, option, value);
}

static void set_callbacks(struct transfer *transfer)
{
	CURLcode (*set)(CURL *, CURLoption, ...) = transfer->curl->easy_setopt;
	set(transfer->handle, CURLOPT_HEADERFUNCTION, on_header);
	set(transfer->handle, CURLOPT_HEADERDATA, transfer);
	set(transfer->handle, CURLOPT_WRITEFUNCTION, on_body);
	set(transfer->handle, CURLOPT_WRITEDATA, transfer);
	set(transfer->handle, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	set(transfer->handle, CURLOPT_OPENSOCKETDATA, transfer);
	set(transfer->handle, CURLOPT_ERRORBUFFER, transfer->reason);
}

static void set_tls(const struct transfer *transfer)
{
	const struct fetch_options *options = transfer->request->options;
	if (given(options->tls_cert)) {
		set_text(transfer, CURLOPT_SSLCERT, options->tls_cert);
		set_text(transfer, CURLOPT_SSLKEY, options->tls_key);
	}
	if (given(options->tls_ca)) {
		/* It replaces the system's roots, the file and the directory. */
		set_text(transfer, CURLOPT_CAINFO, options->tls_ca);
		set_text(transfer, CURLOPT_CAPATH, NULL);
	}
	if (strcmp(transfer->url->scheme, "https+insecure") == 0) {
		set_number(transfer, CURLOPT_SSL_VERIFYPEER, 0);
		set_number(transfer, CURLOPT_SSL_VERIFYHOST, 0);
	}
}

/* To the process itself, through the socket of -unix, or the proxy of the environment, or straight. */
static enum status set_route(struct transfer *transfer, struct error *err)
{
	const char *path = transfer->request->options->unix_socket;
	/* libcurl must not ask the environment itself: "" is no proxy, and NOPROXY "" no exception to it. */
	char *proxy = NULL;
	if (process_url_is(transfer->url)) {
		char *socket_name = process_url_socket(transfer->url);
		if (!socket_name)
			return error_set(err, STATUS_NETWORK, "the process has ended, or does not serve any more");
		set_text(transfer, CURLOPT_ABSTRACT_UNIX_SOCKET, socket_name);
		snprintf(transfer->dialed, sizeof(transfer->dialed), "unix @%s", socket_name);
		free(socket_name);
	} else if (given(path)) {
		bool is_abstract = *path == '@';
		if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
			return error_set(err, STATUS_INVALID, "dial unix %s: the path is longer than a local socket's name can be",
			                 path);
		set_text(transfer, is_abstract ? CURLOPT_ABSTRACT_UNIX_SOCKET : CURLOPT_UNIX_SOCKET_PATH,
		         is_abstract ? path + 1 : path);
		snprintf(transfer->dialed, sizeof(transfer->dialed), "unix %s", path);
	} else {
		enum status status = proxy_for_url(transfer->url, &proxy, err);
		if (status != STATUS_OK)
			return status;
	}
	transfer->is_proxied = proxy != NULL;
	set_text(transfer, CURLOPT_PROXY, proxy ? proxy : "");
	set_text(transfer, CURLOPT_NOPROXY, "");
	free(proxy);
	return STATUS_OK;
}

static void set_request(const struct transfer *transfer)
{
	char *url = wire_url(transfer->url);
	set_text(transfer, CURLOPT_URL, url);
	free(url);
	set_text(transfer, CURLOPT_USERAGENT, "cpprof");
	set_text(transfer, CURLOPT_ACCEPT_ENCODING, "gzip");
	set_number(transfer, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	set_number(transfer, CURLOPT_PATH_AS_IS, 1);
	/* Several threads fetch: libcurl must leave signals alone. */
	set_number(transfer, CURLOPT_NOSIGNAL, 1);
	set_number(transfer, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1);
	if (transfer->url->user) {
		set_number(transfer, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		set_text(transfer, CURLOPT_USERNAME, transfer->url->user);
		set_text(transfer, CURLOPT_PASSWORD, transfer->url->password ? transfer->url->password : "");
	}
	if (transfer->is_post) {
		set_number(transfer, CURLOPT_POST, 1);
		transfer->curl->easy_setopt(transfer->handle, CURLOPT_POSTFIELDSIZE_LARGE,
		                            (curl_off_t)transfer->request->body.length);
		transfer->curl->easy_setopt(transfer->handle, CURLOPT_POSTFIELDS, transfer->request->body.data);
	}
}

/* --- one hop ---------------------------------------------------------------------------------------------------------- */

/* With CURLOPT_NOSIGNAL libcurl no longer guards against SIGPIPE, which a write to a closed TLS connection raises. It is
 * blocked in this thread, and taken away if it came. */
static CURLcode perform(const struct transfer *transfer)
{
	sigset_t pipe_signal, before, pending;
	sigemptyset(&pipe_signal);
	sigaddset(&pipe_signal, SIGPIPE);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
	CURLcode code = transfer->curl->easy_perform(transfer->handle);
	const struct timespec at_once = { 0 };
	if (!sigismember(&pending, SIGPIPE)) {
		while (sigtimedwait(&pipe_signal, NULL, &at_once) < 0 && errno == EINTR)
			continue;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return code;
}

/* The milliseconds left; at least 1, so that libcurl does not take it for "no limit". */
static long milliseconds_until(int64_t deadline_ns)
{
	int64_t left = (deadline_ns - now_ns()) / NS_PER_MS;
	return left < 1 ? 1 : left > INT32_MAX ? INT32_MAX : (long)left;
}

static enum status run_hop(struct transfer *transfer, int64_t deadline_ns, struct error *err)
{
	const struct curl_library *curl = transfer->curl;
	set_callbacks(transfer);
	set_request(transfer);
	set_tls(transfer);
	enum status status = set_route(transfer, err);
	if (status != STATUS_OK)
		return status;
	if (deadline_ns)
		set_number(transfer, CURLOPT_TIMEOUT_MS, milliseconds_until(deadline_ns));
	struct curl_slist *headers = NULL;
	if (transfer->is_post) {
		headers = curl->slist_append(headers, "Content-Type: application/octet-stream");
		headers = curl->slist_append(headers, "Expect:");
	}
	curl->easy_setopt(transfer->handle, CURLOPT_HTTPHEADER, headers);
	CURLcode code = perform(transfer);
	curl->slist_free_all(headers);
	/* The status alone says what is wrong where it is an error; then the body need not be whole. */
	bool is_error = transfer->has_header && transfer->answer->status_code != 200;
	if (code == CURLE_OK || is_error)
		return STATUS_OK;
	return transfer_explain(transfer, code, err);
}

/* Where a redirect leads; false if the answer is none. */
static bool next_hop(const struct transfer *transfer, struct url *ret_url, bool *ret_is_post)
{
	int code = transfer->answer->status_code;
	char *location = NULL;
	if (code != 301 && code != 302 && code != 303 && code != 307 && code != 308)
		return false;
	transfer->curl->easy_getinfo(transfer->handle, CURLINFO_REDIRECT_URL, &location);
	if (!location || !url_parse(str_of(location), ret_url))
		return false;
	*ret_is_post = transfer->is_post && code >= 307;
	/* To the same server the user's wishes go along: not to verify it, and the password. */
	const struct url *from = transfer->url;
	if (process_url_is(from) && strcmp(ret_url->host, "localhost") == 0) { /* what it calls so is itself */
		free(ret_url->scheme);
		free(ret_url->host);
		ret_url->scheme = xstrdup(from->scheme);
		ret_url->host = xstrdup(from->host);
	}
	if (strcmp(from->scheme, "https+insecure") == 0 && strcmp(ret_url->scheme, "https") == 0 &&
	    strcasecmp(from->host, ret_url->host) == 0) {
		free(ret_url->scheme);
		ret_url->scheme = xstrdup(from->scheme);
	}
	if (from->user && !ret_url->user && url_same_origin(from, ret_url)) {
		ret_url->user = xstrdup(from->user);
		ret_url->password = from->password ? xstrdup(from->password) : NULL;
	}
	return true;
}

static bool scheme_known(const struct url *url)
{
	return strcmp(url->scheme, "http") == 0 || strcmp(url->scheme, "https") == 0 ||
	       strcmp(url->scheme, "https+insecure") == 0 || process_url_is(url);
}

static enum status check_request(const struct http_request *request, const struct url *url, int hop, struct error *err)
{
	if (hop == REQUESTS_MAX)
		return error_set(err, STATUS_NETWORK, "stopped after %d redirects", REQUESTS_MAX);
	if (!scheme_known(url))
		return error_set(err, STATUS_INVALID, "unsupported protocol scheme \"%s\": use http, https or https+insecure",
		                 url->scheme);
	return hop == 0 ? tls_files_check(request->options, err) : STATUS_OK;
}

static void prefix_request(const struct transfer *transfer, struct error *err)
{
	if (!err || transfer->has_header)
		return;
	char *shown = url_text(transfer->url, true);
	error_prefix(err, "%s \"%s\": ", transfer->is_post ? "Post" : "Get", shown);
	free(shown);
}

/* Sends to `url`, which is used up, and on to where redirects lead. */
static enum status follow(struct transfer *transfer, struct url *url, struct error *err)
{
	int64_t timeout_ns = transfer->request->timeout_ns;
	int64_t deadline_ns = timeout_ns > 0 ? now_ns() + timeout_ns : 0;
	enum status status;
	for (int hop = 0;; hop++) {
		transfer->url = url;
		transfer->has_header = false;
		transfer->dialed[0] = transfer->reason[0] = '\0';
		buffer_clear(&transfer->answer->body);
		status = check_request(transfer->request, url, hop, err);
		if (status == STATUS_OK && !(transfer->handle = transfer->curl->easy_init()))
			status = error_set(err, STATUS_NO_MEMORY, "out of memory");
		if (status == STATUS_OK) {
			status = run_hop(transfer, deadline_ns, err);
			struct url next;
			bool is_post = false, more = status == STATUS_OK && next_hop(transfer, &next, &is_post);
			transfer->curl->easy_cleanup(transfer->handle);
			if (more) {
				transfer->is_post = is_post;
				url_release(url);
				*url = next;
				continue;
			}
		}
		if (status != STATUS_OK)
			prefix_request(transfer, err);
		return status;
	}
}

enum status http_exchange(const struct http_request *request, struct http_answer *answer, struct error *err)
{
	const struct curl_library *curl = curl_library_get(err);
	if (!curl)
		return STATUS_UNSUPPORTED;
	struct transfer transfer = {
		.request = request,
		.answer = answer,
		.curl = curl,
		.is_post = request->is_post,
	};
	struct url url;
	char *text = url_text(request->url, false);
	bool good = url_parse(str_of(text), &url);
	free(text);
	if (!good)
		return error_set(err, STATUS_INVALID, "the URL cannot be sent");
	enum status status = follow(&transfer, &url, err);
	url_release(&url);
	return status;
}
