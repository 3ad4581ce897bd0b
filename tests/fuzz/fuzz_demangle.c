/* fuzz_demangle.c - any text as a mangled name, in every mode; refused names must leave the buffer as it was. */
#include <stdint.h>
#include <stdlib.h>

#include "symbolize/symbolize.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *name = malloc(size + 1);
	if (!name)
		return 0;
	memcpy(name, data, size);
	name[size] = '\0';
	struct buffer text;
	buffer_init(&text, BUFFER_UNLIMITED);
	for (int mode = DEMANGLE_DEFAULT; mode <= DEMANGLE_NONE; mode++) {
		size_t before = text.length;
		if (!symbolize_demangle(name, (enum demangle_mode)mode, &text) && text.length != before)
			abort();
	}
	buffer_release(&text);
	free(name);
	return 0;
}
