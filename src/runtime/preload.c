/* preload.c - the library's constructor: linked or preloaded, this is where it comes up in a program.
 *
 * Other constructors, and the dynamic linker, may have allocated, locked and started threads before; each hook is ready by
 * itself when it is first called.
 */
#include <dlfcn.h>

#include "runtime/hooks/ids.h"
#include "runtime/hooks/malloc.h"
#include "runtime/hooks/threads.h"
#include "runtime/life.h"
#include "runtime/shared/process.h"
#include "runtime/shared/settings.h"
#include "runtime/signal/our_signal.h"
#include "runtime/signal/unwind.h"

static __attribute__((constructor)) void begin(void)
{
	settings_read();
	ids_find_real();
	if (life_is_unfollowed())
		settings.disabled = true;
	if (!settings.secure && !settings.disabled) {
		process_init();
		unwind_init();
		our_signal_drop_pending();
	}
	heap_init();
	threads_init();
	life_begin();
	/* A name that we looked for and did not find has left a message for the host's next dlerror(). It is taken away here and not
	 * in the hooks: dlerror() translates, and the first malloc of a program may come from inside setlocale(). */
	dlerror();
}
