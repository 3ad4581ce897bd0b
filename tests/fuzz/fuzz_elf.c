/* fuzz_elf.c - any bytes as a binary: opened, its symbols and debug information read, addresses all over it resolved. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbolize/symbolize.h"

#define LOCATIONS 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void resolve(const char *path, uint64_t start, uint64_t limit, bool fast)
{
	struct profile profile;
	profile_init(&profile);
	uint32_t file = profile_intern_text(&profile, path);
	struct mapping *mapping = profile_add_mapping(&profile);
	mapping->start = start;
	mapping->limit = limit;
	mapping->file = file;
	for (uint64_t i = 0; i < LOCATIONS; i++) {
		struct location *location = profile_add_location(&profile);
		location->address = start + i * (limit && limit < 1 << 16 ? limit / LOCATIONS : 0x80 * i);
		location->mapping_ix = 0;
	}
	struct symbolize_options options = { .local = true, .fast_local = fast };
	symbolize_local(&profile, &options);
	for (uint32_t i = 0; i < profile.line_count; i++) {
		if (profile.lines[i].function_ix >= profile.function_count)
			abort();
	}
	profile_release(&profile);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0)
		return 0;
	if (write(fd, data, size) == (ssize_t)size) {
		char path[64];
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		resolve(path, 0, 0, false);
		resolve(path, 0x400000, 0x408000, false);
		resolve(path, 0x555555554000, 0x55555555c000, true);
	}
	close(fd);
	return 0;
}
