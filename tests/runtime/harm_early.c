/* A library whose constructor is inside libc's locale code when it allocates for the first time: whoever calls into that code again
 * from there leaves its lock broken. */
#include <libintl.h>

static __attribute__((constructor)) void begin(void)
{
	bindtextdomain("harm", "/");
}
