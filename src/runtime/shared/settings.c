/* settings.c - the environment, read without getenv: libc may not have been set up yet when the first malloc comes. */
#include "runtime/shared/settings.h"

#include <elf.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

struct settings settings = {
	.follow = true,
	.heap_rate = 512 * 1024,
	.block_rate_ns = 1000000,
	.wait_rate_ns = 10000000,
};

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

static void read_rate(const char *name, uint64_t *rate, bool *off)
{
	const char *text = value_of(name), *digit = text;
	uint64_t value = 0;
	if (!text)
		return;
	for (; *digit >= '0' && *digit <= '9' && value < (uint64_t)1 << 40; digit++)
		value = value * 10 + (uint64_t)(*digit - '0');
	if (digit == text || *digit) {
		settings.bad_rate = (struct bad_rate){ name, text }; /* the default stays */
		return;
	}
	*rate = value;
	*off |= value == 0;
}

static bool word_is(const char *word, size_t length, const char *name)
{
	return strlen(name) == length && memcmp(word, name, length) == 0;
}

static void read_disabled(const char *list)
{
	static const struct {
		const char *word;
		bool *off;
	} words[] = {
		{ "all", &settings.disabled },    { "heap", &settings.heap_off },   { "threads", &settings.threads_off },
		{ "block", &settings.block_off }, { "wait", &settings.wait_off },   { "signals", &settings.signals_off },
		{ "perf", &settings.perf_off },   { "names", &settings.names_off }, { "helper", &settings.helper_off },
	};
	while (*list) {
		size_t length = strcspn(list, ",");
		bool known = false;
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
			if (!word_is(list, length, words[i].word))
				continue;
			*words[i].off = true;
			known = true;
		}
		if (!known && length && !settings.bad_disable)
			settings.bad_disable = list;
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
		settings.secure = settings.heap_off = settings.threads_off = settings.block_off = settings.wait_off = true;
		settings.block_rate_ns = settings.wait_rate_ns = 0;
		return;
	}
	const char *value;
	read_rate("CPPROF_HEAP_RATE", &settings.heap_rate, &settings.heap_off);
	read_rate("CPPROF_BLOCK_RATE", &settings.block_rate_ns, &settings.block_off);
	read_rate("CPPROF_WAIT_RATE", &settings.wait_rate_ns, &settings.wait_off);
	if ((value = value_of("CPPROF_FOLLOW")))
		settings.follow = strcmp(value, "0") != 0;
	if ((value = value_of("CPPROF_DISABLE")))
		read_disabled(value);
	if (settings.block_off || settings.threads_off)
		settings.block_rate_ns = 0;
	if (settings.wait_off || settings.threads_off)
		settings.wait_rate_ns = 0;
	copy_text(settings.address, sizeof(settings.address), value_of("CPPROF_ADDR"));
	copy_text(settings.helper, sizeof(settings.helper), value_of("CPPROF_HELPER"));
}
