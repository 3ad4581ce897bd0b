/* fuzz_profile.c - any bytes through profile_parse: profile.proto and the legacy formats. What is accepted must be valid, must
 * survive being encoded and decoded, and can be merged with itself. */
#include <stdint.h>
#include <stdlib.h>

#include "profile/codec.h"
#include "profile/merge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode_and_decode(const struct profile *profile)
{
	struct buffer encoded;
	struct profile decoded;
	buffer_init(&encoded, BUFFER_UNLIMITED);
	profile_encode(profile, &encoded);
	if (encoded.overflow || profile_decode(buffer_str(&encoded), false, &decoded, NULL) != STATUS_OK)
		abort();
	if (decoded.sample_count != profile->sample_count || decoded.location_count != profile->location_count ||
	    decoded.mapping_count != profile->mapping_count)
		abort();
	profile_release(&decoded);
	buffer_release(&encoded);
}

static void merge_with_itself(struct profile *profile)
{
	struct profile *both[] = { profile, profile };
	struct profile merged;
	if (profile_merge(both, 2, &merged, NULL) != STATUS_OK || profile_check(&merged, NULL) != STATUS_OK)
		abort();
	profile_release(&merged);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buffer input;
	struct profile profile;
	struct error err = { 0 };
	buffer_init(&input, BUFFER_UNLIMITED);
	buffer_append(&input, data, size);
	if (profile_parse(&input, &profile, &err) != STATUS_OK) {
		if (err.message[0] == '\0')
			abort();
		return 0;
	}
	if (profile_check(&profile, NULL) != STATUS_OK)
		abort();
	encode_and_decode(&profile);
	merge_with_itself(&profile);
	profile_release(&profile);
	return 0;
}
