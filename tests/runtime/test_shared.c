/* The floor of the runtime: formatting and sorting beside libc's, memory of a piece of work, copies of memory that may
 * not be there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/xalloc.h"
#include "profile/codec.h"
#include "runtime/shared/losses.h"
#include "runtime/shared/pages.h"
#include "runtime/shared/process.h"
#include "runtime/shared/region.h"
#include "runtime/shared/settings.h"
#include "runtime/shared/sys.h"

int own_snprintf(char *to, size_t size, const char *format, ...);
void own_sort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *, void *), void *arg);

/* The page is part of shared/, what a child does is not. */
void process_check_slow(void)
{
}

#define SAME(...) \
	do { \
		char ours[160], libcs[160]; \
		int length = own_snprintf(ours, sizeof(ours), __VA_ARGS__); \
		assert_int_equal(length, snprintf(libcs, sizeof(libcs), __VA_ARGS__)); \
		assert_string_equal(ours, libcs); \
	} while (0)

static void formats_as_libc_does(void **state)
{
	(void)state;
	SAME("%d %i %u %x %X", -5, INT32_MIN, UINT32_MAX, 0xBEEFu, 0xBEEFu);
	SAME("%ld %lu %lx %zu", INT64_MIN, UINT64_MAX, UINT64_MAX, SIZE_MAX);
	SAME("[%5d] [%-5d] [%05d] [%05d] [%2d]", 42, 42, 42, -42, 12345);
	SAME("[%*d] [%08lx] [%016lx]", 7, 42, 0xABCul, UINT64_MAX);
	SAME("[%s] [%.3s] [%.*s] [%8s] [%-8s]", "abc", "abcdef", 2, "xyz", "ab", "ab");
	SAME("%c%c %% %p", 'a', 'b', (void *)0x1234);
	char cut[8];
	assert_int_equal(own_snprintf(cut, sizeof(cut), "%s", "0123456789"), 10);
	assert_string_equal(cut, "0123456");
}

static int compare_ints(const void *a, const void *b, void *arg)
{
	int order = (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
	return arg ? -order : order;
}

static void sorts(void **state)
{
	(void)state;
	int up[1000], down[1000];
	for (int count = 0; count < 1000; count += 37) {
		for (int i = 0; i < count; i++)
			up[i] = down[i] = rand() % 500;
		own_sort(up, (size_t)count, sizeof(int), compare_ints, NULL);
		own_sort(down, (size_t)count, sizeof(int), compare_ints, up);
		for (int i = 1; i < count; i++) {
			assert_true(up[i - 1] <= up[i]);
			assert_true(down[i - 1] >= down[i]);
		}
	}
}

static void use_memory(void *arg)
{
	char *small = xstrdup("small"), *grown = NULL;
	for (size_t size = 1; size < 3000000; size = size * 3 / 2 + 1) {
		grown = xrealloc(grown, size);
		grown[size - 1] = 'x';
		grown[0] = 'g';
	}
	assert_int_equal(grown[0], 'g');
	assert_string_equal(small, "small");
	unsigned char *zeros = xcalloc(100, 1000);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(zeros[i], 0);
	*(bool *)arg = true;
}

static void ask_too_much(void *arg)
{
	for (;;) {
		char *block = xmalloc((size_t)1 << 45);
		(*(int *)arg)++;
		block[0] = 1;
	}
}

static void work_leaves_nothing_behind(void **state)
{
	(void)state;
	uint64_t before = pages_mapped_bytes();
	bool done = false;
	assert_true(work_run(use_memory, &done));
	assert_true(done);
	assert_int_equal(pages_mapped_bytes(), before);
}

static void work_without_memory_is_given_up(void **state)
{
	(void)state;
	uint64_t before = pages_mapped_bytes(), lost = losses[LOSS_NO_MEMORY];
	int blocks = 0;
	assert_false(work_run(ask_too_much, &blocks));
	assert_int_equal(losses[LOSS_NO_MEMORY], lost + 1);
	assert_int_equal(pages_mapped_bytes(), before);
	bool done = false;
	assert_true(work_run(use_memory, &done)); /* and the next one works */
	assert_true(done);
}

static void write_profile(void *arg)
{
	struct profile profile;
	struct buffer bytes;
	profile_init(&profile);
	profile_set_sample_types(&profile, 1);
	profile.sample_types[0].type = profile_intern_text(&profile, "goroutine");
	profile.sample_types[0].unit = profile_intern_text(&profile, "count");
	profile_values(&profile, profile_add_sample(&profile))[0] = 7;
	buffer_init(&bytes, BUFFER_UNLIMITED);
	assert_int_equal(profile_encode_gzip(&profile, &bytes, NULL), STATUS_OK);
	assert_int_equal((unsigned char)bytes.data[0], 0x1f);
	assert_int_equal((unsigned char)bytes.data[1], 0x8b);
	*(size_t *)arg = bytes.length;
}

static void profiles_are_written_on_own_memory(void **state)
{
	(void)state;
	size_t length = 0;
	assert_true(work_run(write_profile, &length));
	assert_true(length > 20);
}

static void copies_up_to_the_first_hole(void **state)
{
	(void)state;
	char *pages = mmap(NULL, 3 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(pages != MAP_FAILED);
	memset(pages, 'a', 3 * PAGE_SIZE);
	munmap(pages + PAGE_SIZE, PAGE_SIZE);
	static char to[3 * 4096];
	assert_int_equal(sys_copy_memory(to, pages + 100, 50), 50);
	assert_int_equal(to[49], 'a');
	assert_int_equal(sys_copy_memory(to, pages + PAGE_SIZE - 10, 100), 10);
	assert_int_equal(sys_copy_memory(to, pages + PAGE_SIZE, 100), 0);
	munmap(pages, PAGE_SIZE);
	munmap(pages + 2 * PAGE_SIZE, PAGE_SIZE);
}

/* The word in the page tells a forked child from its parent, whatever forked it. */
static void a_fork_is_noticed(void **state)
{
	(void)state;
	process_init();
	assert_int_equal(*process_alive, 1);
	assert_int_equal(process.pid, getpid());
	assert_true(process.cmdline_length > 0);
	pid_t child = fork();
	if (child == 0)
		_exit(*process_alive == 0 ? 7 : 8);
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 7);
	child = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (child == 0)
		_exit(*process_alive == 0 ? 7 : 8);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 7);
}

/* Settings are read once in a process: each check has a child of its own. `variables`: NULL ends. */
static void with_environment(char **variables, bool (*check)(void))
{
	int status = 0;
	pid_t child = fork();
	if (child == 0) {
		environ = variables;
		settings_read();
		_exit(check() ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static bool are_defaults(void)
{
	return !settings.disabled && !settings.heap_off && !settings.block_off && !settings.wait_off &&
	       !settings.perf_off && settings.follow && settings.heap_rate == 524288 && settings.block_rate_ns == 1000000 &&
	       settings.wait_rate_ns == 10000000 && !settings.bad_rate.name && !settings.bad_disable && !*settings.address;
}

static bool are_all_set(void)
{
	return settings.heap_rate == 1 && settings.block_rate_ns == 7 && settings.wait_rate_ns == 1099511627776 &&
	       !settings.follow && settings.perf_off && settings.names_off && !settings.signals_off &&
	       !settings.threads_off && strcmp(settings.address, ":9527") == 0 && strcmp(settings.helper, "/x") == 0;
}

static bool are_off_by_rate(void)
{
	return settings.block_off && settings.wait_off && settings.heap_off && settings.block_rate_ns == 0 &&
	       settings.wait_rate_ns == 0 && !settings.threads_off;
}

static bool are_off_by_word(void)
{
	return settings.block_off && settings.wait_off && settings.block_rate_ns == 0 && settings.wait_rate_ns == 0 &&
	       !settings.heap_off;
}

static bool waits_are_off_with_threads(void)
{
	return settings.threads_off && settings.block_rate_ns == 0 && settings.wait_rate_ns == 0;
}

static bool nonsense_is_told(void)
{
	return settings.bad_rate.name && strcmp(settings.bad_rate.name, "CPPROF_BLOCK_RATE") == 0 &&
	       strcmp(settings.bad_rate.text, "1ms") == 0 && settings.block_rate_ns == 1000000 && !settings.block_off &&
	       settings.bad_disable && strcmp(settings.bad_disable, "Wait,heap") == 0 && settings.heap_off &&
	       !settings.wait_off;
}

static void settings_are_read(void **state)
{
	char other[] = "CPPROF_HEAP_RATES=7", heap_1[] = "CPPROF_HEAP_RATE=1", block_7[] = "CPPROF_BLOCK_RATE=7";
	char wait_large[] = "CPPROF_WAIT_RATE=1099511627776", follow_0[] = "CPPROF_FOLLOW=0",
		 address[] = "CPPROF_ADDR=:9527";
	char words[] = "CPPROF_DISABLE=perf,,names", helper[] = "CPPROF_HELPER=/x", heap_0[] = "CPPROF_HEAP_RATE=0";
	char block_0[] = "CPPROF_BLOCK_RATE=0", wait_0[] = "CPPROF_WAIT_RATE=0", waits[] = "CPPROF_DISABLE=block,wait";
	char threads[] = "CPPROF_DISABLE=threads", block_bad[] = "CPPROF_BLOCK_RATE=1ms",
		 bad[] = "CPPROF_DISABLE=Wait,heap";
	(void)state;
	with_environment((char *[]){ other, NULL }, are_defaults);
	with_environment((char *[]){ heap_1, block_7, wait_large, follow_0, address, words, helper, NULL }, are_all_set);
	with_environment((char *[]){ heap_0, block_0, wait_0, NULL }, are_off_by_rate);
	with_environment((char *[]){ block_7, waits, NULL }, are_off_by_word);
	with_environment((char *[]){ block_7, threads, NULL }, waits_are_off_with_threads);
	with_environment((char *[]){ block_bad, bad, NULL }, nonsense_is_told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_as_libc_does),
		cmocka_unit_test(sorts),
		cmocka_unit_test(work_leaves_nothing_behind),
		cmocka_unit_test(work_without_memory_is_given_up),
		cmocka_unit_test(profiles_are_written_on_own_memory),
		cmocka_unit_test(copies_up_to_the_first_hole),
		cmocka_unit_test(a_fork_is_noticed),
		cmocka_unit_test(settings_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
