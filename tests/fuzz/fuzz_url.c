/* fuzz_url.c - any text through the URL parser (a server's Location reaches it); what parses must be written so that it
 * parses again, to the same text, and its query stays as it is once it was normalized. */
#include <stdint.h>
#include <stdlib.h>

#include "fetch/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *normalized(struct str text)
{
	struct url url;
	if (!url_parse(text, &url))
		return NULL;
	char *seconds;
	url_normalize_query(&url, NULL, &seconds);
	free(seconds);
	if (url_host_name(&url).length + url_port(&url).length > strlen(url.host))
		abort();
	free(url_text(&url, true));
	/* Without a host it is a file's name to us, and never written. */
	char *result = *url.host && *url.scheme ? url_text(&url, false) : NULL;
	url_release(&url);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *once = normalized((struct str){ (const char *)data, size });
	if (once) {
		char *twice = normalized(str_of(once));
		/* Not the zone of an IPv6 address, which may hold bytes that it may not hold escaped, as in Go. */
		if (twice ? strcmp(once, twice) != 0 : !strchr(once, '['))
			abort();
		free(twice);
	}
	free(once);
	return 0;
}
