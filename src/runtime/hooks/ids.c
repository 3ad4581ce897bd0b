/* ids.c - hooks of the calls that change who the process is, or where it is: the service thread, which glibc does not know, is
 * made to follow.
 *
 * glibc carries a change of user or group into each of its threads; ours takes over the caller's identity right after it.
 * Namespaces cannot be changed in a process with two threads, or the other thread stays behind: ours is stopped before and
 * starts afresh after. Before a system call filter it ends for good, since the filter is made for the host's calls, not for
 * ours. setfsuid and setfsgid are not here: they concern the calling thread alone, in glibc too.
 */
#include "runtime/hooks/ids.h"

#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "runtime/hooks/hook.h"
#include "runtime/life.h"

#define NAMESPACES \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)
/* Refused to a process with two threads as well. */
#define SINGLE_THREAD (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)

/* In the C library, declared by libcap's header only. */
int capset(cap_user_header_t header, const cap_user_data_t data);

/* clang-format off */
#define REAL_IDS(X) \
	X(setuid) X(seteuid) X(setreuid) X(setresuid) X(setgid) X(setegid) X(setregid) X(setresgid) X(setgroups) X(initgroups) \
	X(capset) X(unshare) X(setns) X(prctl)
/* clang-format on */

static struct {
#define REAL_MEMBER(name) __typeof__(&name) name;
	REAL_IDS(REAL_MEMBER)
#undef REAL_MEMBER
} real;

void ids_find_real(void)
{
	int saved = errno;
	void *found;
#define REAL_FIND(name) \
	found = dlsym(RTLD_NEXT, #name); \
	memcpy(&real.name, &found, sizeof(found));
	REAL_IDS(REAL_FIND)
#undef REAL_FIND
	errno = saved;
}

/* Calls the function behind the hook; `result` -1 and ENOSYS where the C library has none. */
#define CALL_REAL(result, name, ...) \
	do { \
		if (HOOK_UNLIKELY(!real.name)) \
			ids_find_real(); \
		if (real.name) { \
			(result) = real.name(__VA_ARGS__); \
		} else { \
			errno = ENOSYS; \
			(result) = -1; \
		} \
	} while (0)

#define IDENTITY_HOOK(name, parameters, ...) \
	HOOK int name parameters \
	{ \
		int result; \
		CALL_REAL(result, name, __VA_ARGS__); \
		if (result == 0) \
			life_identity_changed(); \
		return result; \
	}

IDENTITY_HOOK(setuid, (uid_t uid), uid)
IDENTITY_HOOK(setgid, (gid_t gid), gid)
IDENTITY_HOOK(seteuid, (uid_t uid), uid)
IDENTITY_HOOK(setegid, (gid_t gid), gid)
IDENTITY_HOOK(setreuid, (uid_t real_uid, uid_t effective_uid), real_uid, effective_uid)
IDENTITY_HOOK(setregid, (gid_t real_gid, gid_t effective_gid), real_gid, effective_gid)
IDENTITY_HOOK(setresuid, (uid_t real_uid, uid_t effective_uid, uid_t saved_uid), real_uid, effective_uid, saved_uid)
IDENTITY_HOOK(setresgid, (gid_t real_gid, gid_t effective_gid, gid_t saved_gid), real_gid, effective_gid, saved_gid)
IDENTITY_HOOK(setgroups, (size_t count, const gid_t *groups), count, groups)
IDENTITY_HOOK(initgroups, (const char *user, gid_t gid), user, gid)
IDENTITY_HOOK(capset, (cap_user_header_t header, const cap_user_data_t data), header, data)

HOOK int unshare(int flags)
{
	int result;
	bool paused = (flags & (NAMESPACES | SINGLE_THREAD)) && life_pause();
	CALL_REAL(result, unshare, flags);
	if (paused)
		life_resume();
	return result;
}

HOOK int setns(int fd, int type)
{
	int result;
	bool paused = life_pause();
	CALL_REAL(result, setns, fd, type);
	if (paused)
		life_resume();
	return result;
}

HOOK int prctl(int option, ...)
{
	unsigned long arguments[4];
	va_list list;
	va_start(list, option);
	for (int i = 0; i < 4; i++)
		arguments[i] = va_arg(list, unsigned long); /* as glibc's own takes them, given or not */
	va_end(list);
	if (option == PR_SET_SECCOMP)
		life_stop("off: the program has installed a system call filter");
	int result;
	CALL_REAL(result, prctl, option, arguments[0], arguments[1], arguments[2], arguments[3]);
	return result;
}
