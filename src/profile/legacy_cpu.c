/* legacy_cpu.c - the binary CPU profile of gperftools, in words of 32 or 64 bits of either byte order; Java's has the same
 * samples (its names are read by legacy_java.c).
 *
 * Five words of header (0, 3, 0 or 1 for Java, period in microseconds, 0), then for each sample its count, its depth and its
 * addresses, leaf first. A sample of count 0 and the one address 0 ends them; text follows.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "profile/legacy_build.h"

struct word_reader {
	struct str left;
	unsigned word_size; /* 4 or 8 */
	bool big_endian;
	bool exhausted; /* there were not enough bytes for a word */
};

/* The next word; 0 from the end on. */
static uint64_t next_word(struct word_reader *words)
{
	if (words->left.length < words->word_size) {
		words->exhausted = true;
		words->left.length = 0;
		return 0;
	}
	uint64_t word = 0;
	for (unsigned i = 0; i < words->word_size; i++) {
		unsigned from = words->big_endian ? i : words->word_size - 1 - i;
		word = word << 8 | (unsigned char)words->left.data[from];
	}
	words->left = str_from(words->left, words->word_size);
	return word;
}

/* Reads one sample, or the end marker. */
static enum status read_sample(struct legacy *legacy, struct word_reader *words, enum adjustment adjustment,
                               bool *ret_end)
{
	uint64_t count = next_word(words);
	uint64_t depth = next_word(words);
	if (words->exhausted || depth > words->left.length / 4)
		return LEGACY_PASS;
	uint32_t start = legacy->profile.sample_location_count;
	if (count == 0 && depth == 1) {
		uint64_t address = next_word(words);
		*ret_end = address == 0;
		if (*ret_end)
			return STATUS_OK;
		legacy_push(legacy, address);
	} else {
		for (uint64_t i = 0; i < depth; i++)
			legacy_push(legacy, next_word(words) - (adjustment == ADJUST_CALLERS && i > 0));
	}
	int64_t *values = legacy_add_sample(legacy, start);
	values[0] = (int64_t)count;
	values[1] = (int64_t)(count * (uint64_t)legacy->profile.period);
	return STATUS_OK;
}

static enum status read_samples(struct legacy *legacy, struct word_reader *words, enum adjustment adjustment)
{
	bool end = false;
	while (words->left.length > 0 && !end) {
		enum status status = read_sample(legacy, words, adjustment, &end);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

/* The location that nearly every sample has as its second frame, or PROFILE_NONE: one in 32 samples may differ. */
static uint32_t find_common_second(const struct profile *profile)
{
	uint32_t *counts = xcalloc(profile->location_count, sizeof(*counts));
	uint32_t enough = profile->sample_count - profile->sample_count / 32;
	uint32_t common = PROFILE_NONE;
	for (uint32_t i = 0; i < profile->sample_count; i++) {
		const struct sample *sample = &profile->samples[i];
		if (sample->location_count < 2)
			continue;
		uint32_t second = profile_stack(profile, sample)[1];
		if (++counts[second] >= enough)
			common = second;
	}
	free(counts);
	return common;
}

/* Takes up to two frames out that the signal handler has pushed between the leaf, which comes from the context of the
 * signal, and its caller. */
static void drop_handler_frames(struct profile *profile)
{
	for (int pass = 0; pass < 2; pass++) {
		uint32_t common = find_common_second(profile);
		if (common == PROFILE_NONE)
			return;
		for (uint32_t i = 0; i < profile->sample_count; i++) {
			struct sample *sample = &profile->samples[i];
			uint32_t *stack = profile_stack(profile, sample);
			if (sample->location_count < 2 || stack[1] != common)
				continue;
			stack[1] = stack[0];
			sample->location_start++;
			sample->location_count--;
		}
	}
}

static enum status parse_samples(struct legacy *legacy, struct word_reader *words, bool is_java, uint64_t period_us)
{
	legacy_set_types(legacy, 2, (const char *[]){ "samples", "count", "cpu", "nanoseconds" });
	legacy_set_period(legacy, "cpu", "nanoseconds", (int64_t)(period_us * 1000));
	enum status status = read_samples(legacy, words, is_java ? ADJUST_NONE : ADJUST_CALLERS);
	if (status != STATUS_OK)
		return status;
	if (is_java)
		return legacy_parse_java_names(legacy, words->left);
	drop_handler_frames(&legacy->profile);
	struct line_scanner lines;
	scanner_init(&lines, words->left);
	status = legacy_read_map(legacy, &lines);
	if (status == STATUS_OK)
		legacy_drop_repeated_leaves(legacy);
	return status;
}

enum status legacy_parse_cpu(struct legacy *legacy, struct str bytes)
{
	for (unsigned layout = 0; layout < 4; layout++) {
		struct word_reader words = { bytes, layout < 2 ? 4 : 8, layout % 2 == 1, false };
		uint64_t header[5];
		for (unsigned i = 0; i < 5; i++)
			header[i] = next_word(&words);
		if (!words.exhausted && header[0] == 0 && header[1] == 3 && header[2] <= 1 && header[3] > 0 && header[4] == 0)
			return parse_samples(legacy, &words, header[2] == 1, header[3]);
	}
	return LEGACY_PASS;
}
