/* fuzz_own_elf.c - any bytes as a binary for libcpprof's own reader of symbols: as a file, and as if it were loaded. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../runtime/collect_fakes.h"
#include "runtime/collect/elf_symbols.h"
#include "runtime/shared/pages.h"
#include "runtime/shared/region.h"
#include "runtime/shared/sys.h"

#define QUERIES 64
#define IMAGE_MAX ((size_t)1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t size;
	int fd;
};

static void check(const struct symbol_query *queries, const struct symbol_pool *pool)
{
	for (size_t i = 0; i < QUERIES; i++) {
		if (!queries[i].name)
			continue;
		if (queries[i].name < pool->names || queries[i].name >= pool->names + pool->name_size ||
		    strlen(queries[i].name) >= ELF_SYMBOL_NAME_MAX || queries[i].start > queries[i].address)
			abort();
	}
}

static void fill(struct symbol_query *queries, uint64_t step)
{
	for (size_t i = 0; i < QUERIES; i++)
		queries[i] = (struct symbol_query){ .address = 0x1000 + i * step };
}

static void search_image(const struct input *input, struct symbol_query *queries, struct symbol_pool *pool)
{
	struct elf_image image;
	char build_id[65];
	if (input->size > IMAGE_MAX)
		return;
	void *place = pages_map(input->size);
	if (!place)
		return;
	memcpy(place, input->data, input->size);
	if (elf_image_read((uintptr_t)place, &image)) {
		elf_image_build_id(&image, build_id);
		if (strlen(build_id) > 64)
			abort();
		fill(queries, 0x100);
		elf_symbols_from_image(&image, queries, QUERIES, pool);
		check(queries, pool);
	}
	pages_unmap(place, input->size);
}

static void work(void *arg)
{
	const struct input *input = arg;
	struct symbol_query *queries = work_alloc_array(QUERIES, sizeof(*queries));
	struct symbol_pool pool = { .name_size = 64 * 1024, .block_size = 16 * 1024 };
	pool.names = work_alloc(pool.name_size);
	pool.block = work_alloc(pool.block_size);
	for (uint64_t step = 0x10; step <= 0x10000; step *= 16) {
		fill(queries, step);
		elf_symbols_from_file(input->fd, step == 0x10 ? "00ff" : "", queries, QUERIES, &pool);
		check(queries, &pool);
	}
	search_image(input, queries, &pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size, memfd_create("fuzz", MFD_CLOEXEC) };
	if (input.fd < 0)
		return 0;
	if (write(input.fd, data, size) == (ssize_t)size)
		work_run(work, &input);
	close(input.fd);
	return 0;
}
