/* gzip.h - whole buffers to and from gzip. */
#ifndef CPPROF_WIRE_GZIP_H
#define CPPROF_WIRE_GZIP_H

#include "base/buffer.h"
#include "base/status.h"
#include "base/str.h"

/* True if the bytes begin as a gzip member does (1f 8b). */
bool gzip_detect(struct str bytes);

/* Appends the inflated bytes of all members to *to, whose ceiling bounds them (STATUS_LIMIT above it).
 * STATUS_FORMAT tells a cut file from a damaged one. */
enum status gzip_inflate(struct str bytes, struct buffer *to, struct error *err) CPPROF_MUST_USE;

/* Appends one gzip member to *to: deflate at the level that gives the reference's size (6). No time stamp, no name:
 * equal input gives equal output. */
enum status gzip_deflate(struct str bytes, struct buffer *to, struct error *err) CPPROF_MUST_USE;

#endif
