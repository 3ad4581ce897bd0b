/* losses.c - the counters of what could not be recorded. */
#include "runtime/shared/losses.h"

#include <stddef.h>

_Atomic uint64_t losses[LOSS_COUNT];

const char *loss_text(enum loss which)
{
	static const char *const texts[LOSS_COUNT] = {
#define LOSS_TEXT(name, text) [LOSS_##name] = text,
		LOSSES(LOSS_TEXT)
#undef LOSS_TEXT
	};
	return which < LOSS_COUNT ? texts[which] : NULL;
}
