/* Names of locks: set, changed, forgotten, cut, too many, and read while they change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "runtime/hooks/lock_names.h"
#include "runtime/shared/process.h"

void process_check_slow(void)
{
}

static uint64_t lock_number(uint64_t i)
{
	return 0x7f1200000000 + i * 40;
}

static void assert_name(uint64_t lock, const char *wanted)
{
	char name[LOCK_NAME_SIZE];
	assert_int_equal(lock_name_get(lock, name), wanted != NULL);
	if (wanted)
		assert_string_equal(name, wanted);
}

static void names_come_and_go(void **state)
{
	(void)state;
	assert_name(lock_number(1), NULL);
	assert_int_equal(lock_name_set(lock_number(1), "queue"), 0);
	assert_int_equal(lock_name_set(lock_number(2), "cache of \xC3\xA4"), 0);
	assert_name(lock_number(1), "queue");
	assert_name(lock_number(2), "cache of \xC3\xA4");
	assert_int_equal(lock_name_set(lock_number(1), "jobs"), 0);
	assert_name(lock_number(1), "jobs");
	assert_int_equal(lock_name_set(lock_number(1), NULL), 0);
	assert_name(lock_number(1), NULL);
	assert_int_equal(lock_name_set(lock_number(2), ""), 0);
	assert_name(lock_number(2), NULL);
	assert_int_equal(lock_name_set(lock_number(3), NULL), 0);
	assert_int_equal(lock_name_set(0, "nothing"), 0);
	assert_name(0, NULL);
}

static void long_names_are_cut_between_characters(void **state)
{
	(void)state;
	char name[200], wanted[LOCK_NAME_SIZE];
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	memset(wanted, 'x', sizeof(wanted));
	wanted[LOCK_NAME_SIZE - 1] = '\0';
	assert_int_equal(lock_name_set(lock_number(1), name), 0);
	assert_name(lock_number(1), wanted);
	name[LOCK_NAME_SIZE - 1] = '\0'; /* the longest that fits */
	assert_int_equal(lock_name_set(lock_number(1), name), 0);
	assert_name(lock_number(1), wanted);
	/* Three bytes, of which one would still fit. */
	memcpy(name + LOCK_NAME_SIZE - 2, "\xE2\x82\xAC!", 5);
	wanted[LOCK_NAME_SIZE - 2] = '\0';
	assert_int_equal(lock_name_set(lock_number(1), name), 0);
	assert_name(lock_number(1), wanted);
	lock_name_set(lock_number(1), NULL);
}

static void there_is_an_end_and_room_is_reused(void **state)
{
	(void)state;
	char name[32];
	for (int round = 0; round < 3; round++) {
		uint64_t first = 100 + (uint64_t)round * 10000;
		for (uint64_t i = 0; i < LOCK_NAMES_MAX; i++) {
			snprintf(name, sizeof(name), "lock %d %d", round, (int)i);
			assert_int_equal(lock_name_set(lock_number(first + i), name), 0);
		}
		assert_int_equal(lock_name_set(lock_number(50), "one too many"), -ENOSPC);
		assert_name(lock_number(50), NULL);
		assert_int_equal(lock_name_set(lock_number(first + 9), "another"), 0);
		assert_name(lock_number(first + 9), "another");
		assert_name(lock_number(first + LOCK_NAMES_MAX), NULL);
		snprintf(name, sizeof(name), "lock %d %d", round, (int)LOCK_NAMES_MAX - 1);
		assert_name(lock_number(first + LOCK_NAMES_MAX - 1), name);
		for (uint64_t i = 0; i < LOCK_NAMES_MAX; i++)
			assert_int_equal(lock_name_set(lock_number(first + i), NULL), 0);
	}
}

static _Atomic bool stop;

static void *keep_setting(void *arg)
{
	char name[LOCK_NAME_SIZE] = { 0 };
	uint64_t own = 10 + *(const uint64_t *)arg;
	for (int i = 0; !stop; i++) {
		memset(name, 'a' + i % 26, sizeof(name) - 1);
		lock_name_set(lock_number(1), name);
		lock_name_set(lock_number(own), i % 3 ? name : NULL);
	}
	return NULL;
}

static void readers_see_whole_names(void **state)
{
	(void)state;
	pthread_t setters[2];
	uint64_t numbers[2] = { 0, 1 };
	lock_name_set(lock_number(1), "short");
	lock_name_set(lock_number(5), "stays");
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&setters[i], NULL, keep_setting, &numbers[i]), 0);
	int changes = 0;
	char last = 0;
	for (int i = 0; i < 20000 || changes < 20; i++) {
		char name[LOCK_NAME_SIZE];
		assert_true(lock_name_get(lock_number(1), name));
		if (strcmp(name, "short") != 0) {
			for (size_t k = 1; k < LOCK_NAME_SIZE - 1; k++)
				if (name[k] != name[0])
					fail_msg("a mix of names: %s", name);
		}
		changes += name[0] != last;
		last = name[0];
		assert_name(lock_number(5), "stays");
	}
	stop = true;
	for (int i = 0; i < 2; i++)
		pthread_join(setters[i], NULL);
	lock_names_forked();
	assert_name(lock_number(5), "stays");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_come_and_go),
		cmocka_unit_test(long_names_are_cut_between_characters),
		cmocka_unit_test(there_is_an_end_and_room_is_reused),
		cmocka_unit_test(readers_see_whole_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
