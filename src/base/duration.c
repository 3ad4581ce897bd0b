/* duration.c - the text of a duration. */
#include "base/duration.h"

#include <stdio.h>

size_t duration_text(char text[DURATION_TEXT_SIZE], int64_t duration_ns)
{
	/* Go's Duration.String: the largest of h, m, s; below a second one unit of ns, µs, ms. */
	uint64_t ns = duration_ns < 0 ? 0 - (uint64_t)duration_ns : (uint64_t)duration_ns;
	if (ns == 0)
		return (size_t)snprintf(text, DURATION_TEXT_SIZE, "0s");
	uint64_t one = ns < 1000 ? 1 : ns < 1000000 ? 1000 : ns < 1000000000 ? 1000000 : 1000000000;
	const char *unit = one == 1 ? "ns" : one == 1000 ? "\xC2\xB5s" : one == 1000000 ? "ms" : "s";
	char fraction[16] = "";
	if (one > 1 && ns % one) {
		int digits = one == 1000 ? 3 : one == 1000000 ? 6 : 9;
		int length = snprintf(fraction, sizeof(fraction), ".%0*llu", digits, (unsigned long long)(ns % one));
		while (fraction[length - 1] == '0')
			fraction[--length] = '\0';
	}
	char whole[64];
	unsigned long long seconds = ns / one;
	if (one < 1000000000 || seconds < 60)
		snprintf(whole, sizeof(whole), "%llu", seconds);
	else if (seconds < 3600)
		snprintf(whole, sizeof(whole), "%llum%llu", seconds / 60, seconds % 60);
	else
		snprintf(whole, sizeof(whole), "%lluh%llum%llu", seconds / 3600, seconds / 60 % 60, seconds % 60);
	return (size_t)snprintf(text, DURATION_TEXT_SIZE, "%s%s%s%s", duration_ns < 0 ? "-" : "", whole, fraction, unit);
}
