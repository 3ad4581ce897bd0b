/* curl_library.h - libcurl, loaded at the first URL. */
#ifndef CPPROF_FETCH_CURL_LIBRARY_H
#define CPPROF_FETCH_CURL_LIBRARY_H

#include <curl/curl.h>

#include "base/status.h"

/* The functions of libcurl that we use, under their own names without "curl_". */
struct curl_library {
	CURLcode (*global_init)(long flags);
	void (*global_cleanup)(void);
	CURL *(*easy_init)(void);
	void (*easy_cleanup)(CURL *handle);
	CURLcode (*easy_setopt)(CURL *handle, CURLoption option, ...);
	CURLcode (*easy_perform)(CURL *handle);
	CURLcode (*easy_getinfo)(CURL *handle, CURLINFO info, ...);
	const char *(*easy_strerror)(CURLcode code);
	struct curl_slist *(*slist_append)(struct curl_slist *list, const char *text);
	void (*slist_free_all)(struct curl_slist *list);
};

/* Loads and initializes libcurl the first time, from whichever thread. NULL, with the error, if it cannot be had. */
const struct curl_library *curl_library_get(struct error *err);
/* Releases what curl_library_get has set up; no other thread may use libcurl any more. */
void curl_library_release(void);

#endif
