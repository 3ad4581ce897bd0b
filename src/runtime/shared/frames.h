/* frames.h - a stack as the runtime keeps it: addresses to look up, leaf first.
 *
 * Each entry is the address that names the frame: for a caller its return address - 1 (inside the call instruction, as Go
 * and profile.proto have it), for an interrupted leaf its exact pc. Entries below PSEUDO_LIMIT are no addresses but
 * pseudo frames.
 */
#ifndef CPPROF_RUNTIME_SHARED_FRAMES_H
#define CPPROF_RUNTIME_SHARED_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAMES_MAX 128 /* of a kept stack; a deeper one is cut in the middle */

#define PSEUDO_FRAMES(X) \
	X(TRUNCATED, "[truncated]")         /* frames cut out of the middle */ \
	X(OVERFLOW, "[overflow]")           /* the table of stacks was full */ \
	X(UNWIND_FAILED, "[unwind failed]") /* the root side could not be reached */ \
	X(NO_ANSWER, "[no answer]")         /* a running thread that blocks our signal */ \
	X(FUTEX, "[futex]")                 /* a futex wait whose wrapper has no name */ \
	X(LOST, "[lost samples]")           /* processor time whose samples found no room */ \
	X(KERNEL, "[kernel]")               /* processor time in the kernel, which this user may not sample */ \
	X(BLOCKED, "[signals blocked]")     /* processor time of a thread that blocked our signal */ \
	X(UNLOADED, "[unloaded code]")      /* of a file that has been unloaded since (unloaded.h) */ \
	X(UNKNOWN, "[unknown]")

enum pseudo_frame {
	PSEUDO_NONE,
#define PSEUDO_ENUM(name, text) PSEUDO_##name,
	PSEUDO_FRAMES(PSEUDO_ENUM)
#undef PSEUDO_ENUM
			PSEUDO_COUNT
};
#define PSEUDO_LIMIT ((uintptr_t)4096)

/* "[truncated]" and so on; NULL for what is no pseudo frame. */
const char *pseudo_frame_name(uintptr_t frame);

struct frames {
	uint32_t count;
	bool cut;    /* has a PSEUDO_TRUNCATED in the middle */
	bool failed; /* ends in PSEUDO_UNWIND_FAILED */
	uintptr_t at[FRAMES_MAX];
};

#endif
