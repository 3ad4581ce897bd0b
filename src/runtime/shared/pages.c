/* pages.c - counted anonymous mappings. */
#include "runtime/shared/pages.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "runtime/shared/sys.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

static _Atomic uint64_t mapped;

static size_t whole_pages(size_t size)
{
	return (size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

void *pages_map(size_t size)
{
	if (size > SIZE_MAX / 2)
		return NULL;
	size = whole_pages(size ? size : 1);
	long got =
			sys6(SYS_mmap, 0, (long)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (got < 0 && got > -4096)
		return NULL;
	/* A name in /proc/PID/maps, where the kernel can: whoever looks for memory sees whose this is. */
	sys6(SYS_prctl, PR_SET_VMA, PR_SET_VMA_ANON_NAME, got, (long)size, (long)"cpprof", 0);
	atomic_fetch_add_explicit(&mapped, size, memory_order_relaxed);
	return (void *)got;
}

void pages_unmap(void *pages, size_t size)
{
	if (!pages)
		return;
	size = whole_pages(size ? size : 1);
	sys3(SYS_munmap, (long)pages, (long)size, 0);
	atomic_fetch_sub_explicit(&mapped, size, memory_order_relaxed);
}

uint64_t pages_mapped_bytes(void)
{
	return atomic_load_explicit(&mapped, memory_order_relaxed);
}
