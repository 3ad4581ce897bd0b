/* settings.c - the environment, read without getenv: libc may not have been set up yet when the first malloc comes. */
#include "runtime/shared/settings.h"

#include <elf.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

struct settings settings = { .follow = true, .heap_rate = 512 * 1024 };

static const char *value_of(const char *name)
{
	size_t length = strlen(name);
	for (char **variable = environ; variable && *variable; variable++)
		if (strncmp(*variable, name, length) == 0 && (*variable)[length] == '=')
			return *variable + length + 1;
	return NULL;
}

static void copy_text(char *to, size_t size, const char *from)
{
	size_t length = from ? strlen(from) : 0;
	if (length >= size)
		length = 0; /* not cut: half an address or path is a wrong one */
	if (length)
		memcpy(to, from, length);
	to[length] = '\0';
}

static void read_rate(const char *text)
{
	uint64_t rate = 0;
	const char *digit = text;
	for (; *digit >= '0' && *digit <= '9' && rate < (uint64_t)1 << 40; digit++)
		rate = rate * 10 + (uint64_t)(*digit - '0');
	if (digit == text || *digit) {
		settings.bad_rate = text; /* the default stays */
		return;
	}
	settings.heap_rate = rate;
	settings.heap_off |= rate == 0;
}

static bool word_is(const char *word, size_t length, const char *name)
{
	return strlen(name) == length && memcmp(word, name, length) == 0;
}

static void read_disabled(const char *list)
{
	static const char *const words[] = { "all", "heap", "threads", "signals", "names", "helper" };
	while (*list) {
		size_t length = strcspn(list, ",");
		bool known = false;
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			known |= word_is(list, length, words[i]);
		if (!known && length && !settings.bad_disable)
			settings.bad_disable = list;
		settings.disabled |= word_is(list, length, "all");
		settings.heap_off |= word_is(list, length, "heap");
		settings.threads_off |= word_is(list, length, "threads");
		settings.signals_off |= word_is(list, length, "signals");
		settings.names_off |= word_is(list, length, "names");
		settings.helper_off |= word_is(list, length, "helper");
		list += length + (list[length] == ',');
	}
}

void settings_read(void)
{
	static bool done;
	if (done || !environ)
		return;
	done = true;
	if (getauxval(AT_SECURE)) {
		/* Nothing is served there, so nothing is collected. */
		settings.secure = settings.heap_off = settings.threads_off = true;
		return;
	}
	const char *value;
	if ((value = value_of("CPPROF_HEAP_RATE")))
		read_rate(value);
	if ((value = value_of("CPPROF_FOLLOW")))
		settings.follow = strcmp(value, "0") != 0;
	if ((value = value_of("CPPROF_DISABLE")))
		read_disabled(value);
	copy_text(settings.address, sizeof(settings.address), value_of("CPPROF_ADDR"));
	copy_text(settings.helper, sizeof(settings.helper), value_of("CPPROF_HELPER"));
}
