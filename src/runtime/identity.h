/* identity.h - who a thread is: user and group ids, supplementary groups, capabilities. To the kernel they belong to the
 * thread; glibc makes all of its threads follow, and life.c makes ours.
 */
#ifndef CPPROF_RUNTIME_IDENTITY_H
#define CPPROF_RUNTIME_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define IDENTITY_GROUPS_MAX 1024

struct identity {
	uid_t real_uid, effective_uid, saved_uid;
	gid_t real_gid, effective_gid, saved_gid;
	int group_count; /* -1: more than IDENTITY_GROUPS_MAX */
	gid_t groups[IDENTITY_GROUPS_MAX];
	uint32_t effective[2], permitted[2], inheritable[2]; /* capabilities, _LINUX_CAPABILITY_VERSION_3 */
};

/* The calling thread's. */
void identity_read(struct identity *ret_identity);
/* Makes the calling thread that, with no more capabilities than it has: false if it could not become it in full. */
bool identity_adopt(const struct identity *wanted);

#endif
