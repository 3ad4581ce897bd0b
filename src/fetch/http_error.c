/* http_error.c - why a request failed, in Go's words where it has any and with a way out where that is not obvious. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "fetch/tls.h"
#include "fetch/transfer.h"

/* OpenSSL's X509_V_ERR_… (openssl/x509_vfy.h), which libcurl hands on. */
enum {
	VERIFY_NO_ISSUER = 2,
	VERIFY_NOT_YET_VALID = 9,
	VERIFY_EXPIRED = 10,
	VERIFY_SELF_SIGNED = 18,
	VERIFY_SELF_SIGNED_CHAIN = 19,
	VERIFY_NO_LOCAL_ISSUER = 20,
	VERIFY_NO_LEAF_SIGNATURE = 21,
};

void transfer_clean_text(struct str text, char *to, size_t size)
{
	size_t length = 0;
	bool blank = false;
	for (size_t i = 0; i < text.length; i++) {
		unsigned char c = (unsigned char)text.data[i];
		/* U+0080 to U+009F control terminals, too. */
		bool is_c1 = c == 0xC2 && i + 1 < text.length && (unsigned char)text.data[i + 1] < 0xA0;
		if (c <= ' ' || c == 0x7F || is_c1) {
			blank = length > 0;
			i += is_c1;
			continue;
		}
		if (length + (blank ? 2 : 1) >= size)
			break;
		if (blank)
			to[length++] = ' ';
		to[length++] = (char)c;
		blank = false;
	}
	/* Not in the middle of a UTF-8 character. */
	while (length > 0 && length + 4 >= size && ((unsigned char)to[length - 1] & 0x80))
		length--;
	to[length] = '\0';
}

static long info_long(const struct transfer *transfer, CURLINFO info)
{
	long value = 0;
	transfer->curl->easy_getinfo(transfer->handle, info, &value);
	return value;
}

/* What the connection is made to, for a message. */
static const char *dial_words(const struct transfer *transfer)
{
	return transfer->is_proxied ? "proxyconnect tcp: dial" : "dial";
}

static enum status explain_connect(const struct transfer *transfer, struct error *err)
{
	int reason = (int)info_long(transfer, CURLINFO_OS_ERRNO);
	const char *to = *transfer->dialed ? transfer->dialed : "tcp";
	if (!reason)
		return error_set(err, STATUS_NETWORK, "%s %s: %s", dial_words(transfer), to, transfer->reason);
	error_set_errno(err, reason, "%s %s: connect", dial_words(transfer), to);
	if (err)
		err->code = STATUS_NETWORK;
	return STATUS_NETWORK;
}

static enum status explain_resolve(const struct transfer *transfer, bool is_proxy, struct error *err)
{
	if (is_proxy)
		return error_set(err, STATUS_NETWORK,
		                 "proxyconnect tcp: dial tcp: lookup of the proxy: no such host; see "
		                 "HTTP_PROXY and HTTPS_PROXY");
	struct str host = url_host_name(transfer->url);
	return error_set(err, STATUS_NETWORK, "dial tcp: lookup %.*s: no such host", STR_ARG(host));
}

static enum status explain_timeout(const struct transfer *transfer, struct error *err)
{
	char limit[DURATION_TEXT_SIZE];
	duration_text(limit, transfer->request->timeout_ns);
	return error_set(err, STATUS_NETWORK, "context deadline exceeded (%s): not done after %s; -timeout allows more",
	                 transfer->has_header ? "Client.Timeout or context cancellation while reading body"
	                                      : "Client.Timeout exceeded while awaiting headers",
	                 limit);
}

static enum status explain_verification(const struct transfer *transfer, struct error *err)
{
	const char *reason = transfer->reason;
	switch (info_long(transfer, CURLINFO_SSL_VERIFYRESULT)) {
	case VERIFY_NO_ISSUER:
	case VERIFY_SELF_SIGNED:
	case VERIFY_SELF_SIGNED_CHAIN:
	case VERIFY_NO_LOCAL_ISSUER:
	case VERIFY_NO_LEAF_SIGNATURE:
		reason = "x509: certificate signed by unknown authority; name it with -tls_ca, or use https+insecure://";
		break;
	case VERIFY_NOT_YET_VALID:
	case VERIFY_EXPIRED:
		reason = "x509: certificate has expired or is not yet valid";
		break;
	}
	return error_set(err, STATUS_NETWORK, "tls: failed to verify certificate: %s", reason);
}

static enum status explain_tls(const struct transfer *transfer, struct error *err)
{
	/* What a plain server sends looks like a TLS record of nonsense. */
	if (strstr(transfer->reason, "wrong version number") || strstr(transfer->reason, "packet length too long"))
		return error_set(err, STATUS_NETWORK, "http: server gave HTTP response to HTTPS client; use http://");
	return error_set(err, STATUS_NETWORK, "tls: %s", transfer->reason);
}

static enum status explain_cut(const struct transfer *transfer, struct error *err)
{
	curl_off_t announced = -1, got = 0;
	transfer->curl->easy_getinfo(transfer->handle, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
	transfer->curl->easy_getinfo(transfer->handle, CURLINFO_SIZE_DOWNLOAD_T, &got);
	if (announced > 0)
		return error_set(err, STATUS_NETWORK,
		                 "unexpected EOF: the server closed the connection after %lld of %lld bytes; fetch it again",
		                 (long long)got, (long long)announced);
	return error_set(
			err, STATUS_NETWORK,
			"unexpected EOF: the server closed the connection after %lld bytes, before the end; fetch it again",
			(long long)got);
}

static enum status explain_receive(const struct transfer *transfer, CURLcode code, struct error *err)
{
	long connect_code = info_long(transfer, CURLINFO_HTTP_CONNECTCODE);
	if (transfer->is_proxied && connect_code >= 300)
		return error_set(err, STATUS_NETWORK, "the proxy refused the connection with status %ld%s", connect_code,
		                 connect_code == 407 ? "; put user and password into HTTPS_PROXY" : "");
	int reason = (int)info_long(transfer, CURLINFO_OS_ERRNO);
	const char *act = code == CURLE_SEND_ERROR ? "write" : "read";
	if (!reason)
		return error_set(err, STATUS_NETWORK, "%s: %s", act, transfer->reason);
	error_set_errno(err, reason, "%s %s: %s", act, transfer->dialed, act);
	if (err)
		err->code = STATUS_NETWORK;
	return STATUS_NETWORK;
}

static enum status explain_other(const struct transfer *transfer, CURLcode code, struct error *err)
{
	const char *words = *transfer->reason ? transfer->reason : transfer->curl->easy_strerror(code);
	if (strstr(words, "HTTP/0.9") || code == CURLE_WEIRD_SERVER_REPLY)
		return error_set(err, STATUS_NETWORK, "malformed HTTP response: is that the right port?");
	char text[CURL_ERROR_SIZE];
	transfer_clean_text(str_of(words), text, sizeof(text));
	return error_set(err, STATUS_NETWORK, "%c%s", tolower((unsigned char)*text), *text ? text + 1 : "");
}

enum status transfer_explain(const struct transfer *transfer, CURLcode code, struct error *err)
{
	const struct buffer *body = &transfer->answer->body;
	switch ((int)code) {
	case CURLE_COULDNT_RESOLVE_PROXY:
		return explain_resolve(transfer, true, err);
	case CURLE_COULDNT_RESOLVE_HOST:
		return explain_resolve(transfer, false, err);
	case CURLE_COULDNT_CONNECT:
		return explain_connect(transfer, err);
	case CURLE_URL_MALFORMAT:
		return error_set(err, STATUS_INVALID, "invalid URL: look at its host and port");
	case CURLE_OPERATION_TIMEDOUT:
		return explain_timeout(transfer, err);
	case CURLE_PEER_FAILED_VERIFICATION:
		return explain_verification(transfer, err);
	case CURLE_SSL_CONNECT_ERROR:
		return explain_tls(transfer, err);
	case CURLE_SSL_CERTPROBLEM:
		return error_set(err, STATUS_INVALID, TLS_PAIR_FAILURE "%s", transfer->reason);
	case CURLE_SSL_CACERT_BADFILE:
		return error_set(err, STATUS_INVALID, TLS_CA_FAILURE "%s", transfer->reason);
	case CURLE_PARTIAL_FILE:
		return explain_cut(transfer, err);
	case CURLE_GOT_NOTHING:
		return error_set(err, STATUS_NETWORK, "EOF: the server closed the connection without an answer");
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return explain_receive(transfer, code, err);
	case CURLE_WRITE_ERROR:
		if (body->overflow)
			return error_set(err, STATUS_LIMIT, "the answer is larger than %zu bytes, the most that is accepted",
			                 body->ceiling);
		return explain_other(transfer, code, err);
	default:
		return explain_other(transfer, code, err);
	}
}
