/* fuzz_maps.c - any bytes as /proc/self/maps, and as the answer of the helper. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../runtime/collect_fakes.h"
#include "runtime/collect/helper_answer.h"
#include "runtime/collect/maps.h"
#include "runtime/shared/region.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of exactly its size, so that a read behind its end is seen. */
struct input {
	char *bytes;
	size_t size;
};

static void check_maps(const char *text, size_t size)
{
	struct maps maps;
	maps_parse(text, size, &maps);
	for (uint32_t i = 0; i < maps.count; i++) {
		if (maps.entries[i].start >= maps.entries[i].limit || strlen(maps.entries[i].path) > size)
			abort();
	}
}

static void check_answer(char *text, size_t size)
{
	struct helper_query queries[] = { { .address = 0 }, { .address = 0x1000 }, { .address = 0x20ab } };
	helper_answer_read(text, size, queries, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct name *name = &queries[i].answer;
		for (uint32_t k = 0; k < name->line_count; k++) {
			if (!*name->lines[k].function || !*name->lines[k].system_name ||
			    (name->lines[k].file && strlen(name->lines[k].file) > size))
				abort();
		}
	}
}

static void work(void *arg)
{
	const struct input *input = arg;
	check_maps(input->bytes, input->size);
	check_answer(input->bytes, input->size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { malloc(size ? size : 1), size };
	if (!input.bytes)
		return 0;
	memcpy(input.bytes, data, size);
	work_run(work, &input);
	free(input.bytes);
	return 0;
}
