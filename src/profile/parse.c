/* parse.c - any bytes to a profile: decompression, then profile.proto, then the legacy formats. */
#include "profile/codec.h"

#include <unistd.h>

#include "profile/legacy.h"
#include "wire/gzip.h"

size_t profile_ceiling(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), page_size = sysconf(_SC_PAGESIZE);
	if (pages <= 0 || page_size <= 0)
		return PROFILE_CEILING;
	size_t half = (size_t)pages / 2 * (size_t)page_size;
	return half < PROFILE_CEILING ? half : PROFILE_CEILING;
}

static enum status parse_bytes(struct str bytes, struct profile *ret_profile, struct error *err)
{
	if (bytes.length == 0)
		return error_set(err, STATUS_FORMAT, "parsing profile: empty input file");
	enum status status = profile_decode(bytes, true, ret_profile, err);
	if (status == STATUS_INVALID) {
		error_prefix(err, "malformed profile: ");
		return status;
	}
	if (status == STATUS_FORMAT) {
		status = profile_parse_legacy(bytes, ret_profile, err);
		if (status == STATUS_OK && (status = profile_check(ret_profile, err)) != STATUS_OK) {
			profile_release(ret_profile);
			error_prefix(err, "malformed profile: ");
			return status;
		}
	}
	if (status != STATUS_OK)
		error_prefix(err, "parsing profile: ");
	return status;
}

enum status profile_parse(struct buffer *input, struct profile *ret_profile, struct error *err)
{
	struct error local;
	if (!err)
		err = &local;
	struct buffer inflated;
	buffer_init(&inflated, profile_ceiling());
	enum status status = STATUS_OK;
	if (gzip_detect(buffer_str(input))) {
		status = gzip_inflate(buffer_str(input), &inflated, err);
		buffer_release(input);
		if (status != STATUS_OK)
			error_prefix(err, "decompressing profile: ");
	} else if (input->length > profile_ceiling()) {
		status = error_set(err, STATUS_LIMIT, "parsing profile: %zu bytes are more than the %zu that are accepted",
		                   input->length, profile_ceiling());
	} else {
		inflated = *input;
		buffer_init(input, input->ceiling);
	}
	if (status == STATUS_OK)
		status = parse_bytes(buffer_str(&inflated), ret_profile, err);
	buffer_release(&inflated);
	buffer_release(input);
	return status;
}
