/* real.c - finding libc's own functions behind our hooks. */
#include "runtime/hooks/real.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "runtime/hooks/syscall.h"
#include "runtime/hooks/threads.h"
#include "runtime/hooks/wait_record.h"
#include "runtime/shared/settings.h"
#include "runtime/shared/threads.h"
#include "runtime/shared/tls.h"

static int first_mutex_trylock(pthread_mutex_t *mutex)
{
	real_calls_find();
	return real_calls.pthread_mutex_trylock(mutex);
}

static int first_mutex_unlock(pthread_mutex_t *mutex)
{
	real_calls_find();
	return real_calls.pthread_mutex_unlock(mutex);
}

/* An uncontended lock has no time for a test: what it needs is there from the beginning. */
struct real_calls real_calls = {
	.pthread_mutex_trylock = first_mutex_trylock,
	.pthread_mutex_unlock = first_mutex_unlock,
};
bool hooks_off;

/* Stores the address of the next `name` in the pointer at ret_function: of this version if it is not NULL and exists. */
static void find(const char *name, const char *version, void *ret_function)
{
	void *found = version ? dlvsym(RTLD_NEXT, name, version) : NULL;
	if (!found)
		found = dlsym(RTLD_NEXT, name);
	if (found)
		memcpy(ret_function, &found, sizeof(found));
}

static void read_off(void)
{
	hooks_off = settings.disabled || settings.threads_off;
}

void real_calls_find(void)
{
	int saved = errno;
	/* dlsym may allocate: that is ours, not the host's. */
	tls.guard++;
	settings_read();
	read_off();
#define REAL_FIND(name) find(#name, NULL, &real_calls.name);
#define REAL_FIND_VERSION(name, version) find(#name, version, &real_calls.name);
	REAL_CALLS(REAL_FIND)
	REAL_VERSIONED_CALLS(REAL_FIND_VERSION)
#undef REAL_FIND
#undef REAL_FIND_VERSION
	find("syscall", NULL, &real_syscall);
	tls.guard--;
	errno = saved;
}

void threads_init(void)
{
	if (!real_calls.read)
		real_calls_find();
	/* The constructor may have decided against this process since. */
	read_off();
	wait_rates_set();
	if (!hooks_off)
		thread_self();
}
