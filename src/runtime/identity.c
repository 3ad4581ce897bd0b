/* identity.c - reading and taking over a thread's identity, by system calls that concern the calling thread alone. */
#include "runtime/identity.h"

#include <linux/capability.h>
#include <string.h>

#include "runtime/shared/sys.h"

static long capabilities(long call, uint32_t *effective, uint32_t *permitted, uint32_t *inheritable)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];
	for (int i = 0; i < 2; i++)
		data[i] = (struct __user_cap_data_struct){ effective[i], permitted[i], inheritable[i] };
	long result = sys3(call, (long)&header, (long)data, 0);
	for (int i = 0; i < 2 && result >= 0; i++) {
		effective[i] = data[i].effective;
		permitted[i] = data[i].permitted;
		inheritable[i] = data[i].inheritable;
	}
	return result;
}

void identity_read(struct identity *ret_identity)
{
	struct identity *one = ret_identity;
	sys3(SYS_getresuid, (long)&one->real_uid, (long)&one->effective_uid, (long)&one->saved_uid);
	sys3(SYS_getresgid, (long)&one->real_gid, (long)&one->effective_gid, (long)&one->saved_gid);
	long count = sys3(SYS_getgroups, IDENTITY_GROUPS_MAX, (long)one->groups, 0);
	one->group_count = count < 0 ? -1 : (int)count;
	memset(one->effective, 0, sizeof(one->effective));
	memset(one->permitted, 0, sizeof(one->permitted));
	memset(one->inheritable, 0, sizeof(one->inheritable));
	capabilities(SYS_capget, one->effective, one->permitted, one->inheritable);
}

static bool groups_equal(const struct identity *wanted)
{
	gid_t groups[IDENTITY_GROUPS_MAX];
	long count = sys3(SYS_getgroups, IDENTITY_GROUPS_MAX, (long)groups, 0);
	return count == wanted->group_count && memcmp(groups, wanted->groups, (size_t)count * sizeof(*groups)) == 0;
}

static bool ids_equal(const struct identity *wanted)
{
	uid_t users[3];
	gid_t groups[3];
	sys3(SYS_getresuid, (long)&users[0], (long)&users[1], (long)&users[2]);
	sys3(SYS_getresgid, (long)&groups[0], (long)&groups[1], (long)&groups[2]);
	return users[0] == wanted->real_uid && users[1] == wanted->effective_uid && users[2] == wanted->saved_uid &&
	       groups[0] == wanted->real_gid && groups[1] == wanted->effective_gid && groups[2] == wanted->saved_gid;
}

/* Both orders are needed: who drops root must change groups first, who takes it back, the user. */
static bool take_ids(const struct identity *wanted)
{
	for (int round = 0; round < 2; round++) {
		if (!groups_equal(wanted))
			sys3(SYS_setgroups, wanted->group_count, (long)wanted->groups, 0);
		sys3(SYS_setresgid, (long)wanted->real_gid, (long)wanted->effective_gid, (long)wanted->saved_gid);
		sys3(SYS_setresuid, (long)wanted->real_uid, (long)wanted->effective_uid, (long)wanted->saved_uid);
	}
	return groups_equal(wanted) && ids_equal(wanted);
}

bool identity_adopt(const struct identity *wanted)
{
	if (wanted->group_count < 0 || !take_ids(wanted))
		return false;
	uint32_t effective[2] = { 0 }, permitted[2] = { 0 }, inheritable[2] = { 0 };
	if (capabilities(SYS_capget, effective, permitted, inheritable) < 0)
		return false;
	for (int i = 0; i < 2; i++) {
		permitted[i] &= wanted->permitted[i];
		effective[i] = wanted->effective[i] & permitted[i];
		inheritable[i] &= wanted->inheritable[i];
	}
	return capabilities(SYS_capset, effective, permitted, inheritable) >= 0;
}
