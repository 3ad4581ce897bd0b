/* fuzz_gzip.c - any bytes through gzip_inflate, below a ceiling; what inflates must survive being packed again. */
#include <stdint.h>
#include <stdlib.h>

#include "wire/gzip.h"

#define CEILING ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buffer plain, packed, again;
	struct error err = { 0 };
	buffer_init(&plain, CEILING);
	buffer_init(&packed, 2 * CEILING);
	buffer_init(&again, CEILING);
	enum status status = gzip_inflate((struct str){ (const char *)data, size }, &plain, &err);
	if (plain.length > CEILING || (status != STATUS_OK && err.message[0] == '\0'))
		abort();
	if (status == STATUS_OK) {
		if (gzip_deflate(buffer_str(&plain), &packed, NULL) != STATUS_OK ||
		    gzip_inflate(buffer_str(&packed), &again, NULL) != STATUS_OK ||
		    !str_equal(buffer_str(&plain), buffer_str(&again)))
			abort();
	}
	buffer_release(&plain);
	buffer_release(&packed);
	buffer_release(&again);
	return 0;
}
