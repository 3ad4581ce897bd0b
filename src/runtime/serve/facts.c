/* facts.c - reading of /proc/self; formatting without floating point. */
#include "runtime/serve/facts.h"

#include <dirent.h>
#include <stdalign.h>
#include <string.h>

#include "runtime/shared/pages.h"
#include "runtime/shared/sys.h"

/* The second number of statm: resident pages. */
int64_t facts_resident_bytes(void)
{
	char text[128];
	if (sys_read_file("/proc/self/statm", text, sizeof(text)) <= 0)
		return -1;
	const char *digit = strchr(text, ' ');
	int64_t pages = 0;
	if (!digit)
		return -1;
	for (digit++; *digit >= '0' && *digit <= '9'; digit++)
		pages = pages * 10 + (*digit - '0');
	return pages * (int64_t)PAGE_SIZE;
}

/* As getdents64 has it; dirent64's name starts at a fixed place, too. */
static int count_entries(const char *entries, size_t size)
{
	int count = 0;
	size_t at = 0;
	while (at + offsetof(struct dirent64, d_name) < size) {
		uint16_t length;
		memcpy(&length, entries + at + offsetof(struct dirent64, d_reclen), sizeof(length));
		count += entries[at + offsetof(struct dirent64, d_name)] != '.';
		at += length;
	}
	return count;
}

/* /proc/self is the main thread, whose descriptors are the host's; the service thread has its own. */
int64_t facts_open_descriptors(void)
{
	alignas(8) char entries[4096];
	int fd = sys_open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return -1;
	int64_t count = 0;
	long got;
	while ((got = sys3(SYS_getdents64, fd, (long)entries, sizeof(entries))) > 0)
		count += count_entries(entries, (size_t)got);
	sys_close(fd);
	return got < 0 ? -1 : count;
}

void facts_size(uint64_t bytes, struct buffer *to)
{
	static const char units[][3] = { "kB", "MB", "GB", "TB" };
	if (bytes < 1024) {
		buffer_printf(to, "%llu B", (unsigned long long)bytes);
		return;
	}
	size_t unit = 0;
	for (; bytes >= 1024 * 1024 && unit < 3; unit++)
		bytes /= 1024;
	buffer_printf(to, "%llu.%llu %s", (unsigned long long)(bytes / 1024),
	              (unsigned long long)(bytes % 1024 * 10 / 1024), units[unit]);
}

void facts_duration(uint64_t seconds, struct buffer *to)
{
	if (seconds >= 86400)
		buffer_printf(to, "%llu d ", (unsigned long long)(seconds / 86400));
	buffer_printf(to, "%02u:%02u:%02u", (unsigned)(seconds / 3600 % 24), (unsigned)(seconds / 60 % 60),
	              (unsigned)(seconds % 60));
}
