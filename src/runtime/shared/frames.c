/* frames.c - the names of pseudo frames. */
#include "runtime/shared/frames.h"

const char *pseudo_frame_name(uintptr_t frame)
{
	static const char *const names[PSEUDO_COUNT] = {
#define PSEUDO_NAME(name, text) [PSEUDO_##name] = text,
		PSEUDO_FRAMES(PSEUDO_NAME)
#undef PSEUDO_NAME
	};
	return frame < PSEUDO_COUNT ? names[frame] : NULL;
}
