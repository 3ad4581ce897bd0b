/* fuzz_regexp.c - any bytes as a pattern and a text, divided by the first newline.
 *
 * What is checked beside memory: searching twice answers the same, a refused pattern has a message of the expected form,
 * and a pattern quoted as \Q...\E is found in itself.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "regexp/regexp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
	if (!holds)
		abort();
}

static void search_twice(struct str pattern, struct str text)
{
	struct regexp *regexp;
	struct error err = { 0 };
	if (regexp_compile(pattern, &regexp, &err) != STATUS_OK) {
		check(strncmp(err.message, "error parsing regexp: ", 22) == 0);
		return;
	}
	bool first = regexp_search(regexp, text);
	check(regexp_search(regexp, text) == first);
	regexp_search(regexp, pattern);
	regexp_free(regexp);
}

static void search_quoted(struct str text)
{
	char *quoted = malloc(text.length + 2);
	check(quoted != NULL);
	memcpy(quoted, "\\Q", 2);
	memcpy(quoted + 2, text.data, text.length);
	struct regexp *regexp;
	struct str pattern = { quoted, text.length + 2 };
	if (!memmem(text.data, text.length, "\\E", 2) && regexp_compile(pattern, &regexp, NULL) == STATUS_OK) {
		check(regexp_search(regexp, text));
		regexp_free(regexp);
	}
	free(quoted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Counted repetitions make programs of millions of instructions from few bytes; that is bounded, but slow. That long
	 * patterns cost no more than their length is for the unit test to see. */
	if (size > 512)
		return 0;
	struct str pattern = { (const char *)data, size }, text = { "", 0 };
	const char *newline = size ? memchr(data, '\n', size) : NULL;
	if (newline) {
		pattern.length = (size_t)(newline - pattern.data);
		text = (struct str){ newline + 1, size - pattern.length - 1 };
	}
	search_twice(pattern, text);
	search_quoted(text);
	return 0;
}
