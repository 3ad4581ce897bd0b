/* transfer.h - one request in flight, as http.c and http_error.c see it. */
#ifndef CPPROF_FETCH_TRANSFER_H
#define CPPROF_FETCH_TRANSFER_H

#include "fetch/curl_library.h"
#include "fetch/http.h"

struct transfer {
	const struct http_request *request;
	const struct url *url; /* of this hop */
	struct http_answer *answer;
	const struct curl_library *curl;
	CURL *handle;
	bool is_post;
	bool has_header; /* the answer's header is complete */
	bool is_proxied;
	char dialed[160];             /* "tcp 127.0.0.1:80": the first address that was tried */
	char reason[CURL_ERROR_SIZE]; /* libcurl's words */
};

/* Fills *err with what the failure `code` means, in Go's words where Go has any. Never CURLE_OK. */
enum status transfer_explain(const struct transfer *transfer, CURLcode code, struct error *err);

/* Copies text of a server for showing it: blanks and control characters become single blanks, and it is cut to fit. */
void transfer_clean_text(struct str text, char *to, size_t size);

#endif
