/* codec.h - bytes to profile and back. */
#ifndef CPPROF_PROFILE_CODEC_H
#define CPPROF_PROFILE_CODEC_H

#include "profile/profile.h"

/* No profile is larger after decompression: all indices of the model fit in 32 bits below it. */
#define PROFILE_CEILING ((size_t)4 * 1024 * 1024 * 1024 - 4096)
/* The largest profile accepted here, in bytes: PROFILE_CEILING, or on a small machine half of its memory. */
size_t profile_ceiling(void);

/* Reads a profile from the bytes of a file or an answer: profile.proto or a legacy format, compressed by gzip or not.
 * The bytes are not needed afterwards. On success *ret_profile is initialised and valid (profile_check); on failure it
 * is untouched and `err` has the reference's words: "parsing profile: unrecognized profile format", "malformed profile: ...",
 * "decompressing profile: ...".
 * Empties the buffer in either case: its memory is given back page by page while it is read. */
enum status profile_parse(struct buffer *input, struct profile *ret_profile, struct error *err) CPPROF_MUST_USE;

/* Reads uncompressed profile.proto only, and checks its validity. The message has no prefix. STATUS_FORMAT: these bytes
 * are not a profile.proto (they may be a legacy format). STATUS_INVALID: they are, but break a rule. STATUS_UNSUPPORTED:
 * several profiles glued together. `may_spoil` allows the bytes to be given back to the system as they are used up; they must
 * then be the decoder's to lose. */
enum status profile_decode(struct str bytes, bool may_spoil, struct profile *ret_profile,
                           struct error *err) CPPROF_MUST_USE;

/* Writes uncompressed profile.proto, byte for byte as the reference orders it. */
void profile_encode(const struct profile *profile, struct buffer *to);
/* The same, compressed by gzip. */
enum status profile_encode_gzip(const struct profile *profile, struct buffer *to, struct error *err) CPPROF_MUST_USE;

/* Checks the rules a profile must keep; the message has no prefix ("mismatch: sample has 3 values vs. 2 types"). */
enum status profile_check(const struct profile *profile, struct error *err) CPPROF_MUST_USE;

#endif
