/* duration.h - durations as Go writes them: "1h0m5s", "1.5s", "100ms". Not the units of profiles (profile/units.h). */
#ifndef CPPROF_BASE_DURATION_H
#define CPPROF_BASE_DURATION_H

#include <stddef.h>
#include <stdint.h>

#define DURATION_TEXT_SIZE 96

/* Writes the duration, the zero byte included, and returns its length. */
size_t duration_text(char text[DURATION_TEXT_SIZE], int64_t duration_ns);

#endif
