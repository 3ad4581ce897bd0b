/* legacy.c - the order in which the legacy formats are asked, and the frames that are dropped from each kind of profile.
 * The formats themselves are in legacy_*.c. */
#include "profile/legacy.h"

#include "profile/legacy_build.h"

/* Frames of allocators themselves, as the reference lists them for profiles of allocations. */
static const char allocator_frames[] =
		"calloc|cfree|malloc|free|memalign|do_memalign|(__)?posix_memalign|pvalloc|valloc|realloc"
		"|tcmalloc::.*|tc_calloc|tc_cfree|tc_malloc|tc_free|tc_memalign|tc_posix_memalign|tc_pvalloc|tc_valloc|tc_"
		"realloc"
		"|tc_new|tc_delete|tc_newarray|tc_deletearray|tc_new_nothrow|tc_newarray_nothrow"
		"|malloc_zone_malloc|malloc_zone_calloc|malloc_zone_valloc|malloc_zone_realloc|malloc_zone_memalign|malloc_"
		"zone_free"
		"|runtime\\..*"
		"|BaseArena::.*|(::)?do_malloc_no_errno|(::)?do_malloc_pages|(::)?do_malloc|DoSampledAllocation"
		"|MallocedMemBlock::MallocedMemBlock|_M_allocate|__builtin_(vec_)?delete|__builtin_(vec_)?new"
		"|__gnu_cxx::new_allocator::allocate|__libc_malloc|__malloc_alloc_template::allocate|allocate|cpp_alloc"
		"|operator new(\\[\\])?|simple_alloc::allocate";
/* Frames of Go's runtime that may stand in the middle of such a stack, and stay. */
static const char kept_frames[] = "runtime\\.panic|runtime\\.reflectcall|runtime\\.call[0-9]*";
/* Frames of locks, for profiles of contention. */
static const char lock_frames[] =
		"RecordLockProfileData|(base::)?RecordLockProfileData.*|(base::)?SubmitMutexProfileData.*"
		"|(base::)?SubmitSpinLockProfileData.*"
		"|(base::Mutex::)?AwaitCommon.*|(base::Mutex::)?Unlock.*|(base::Mutex::)?UnlockSlow.*|(base::Mutex::)?"
		"ReaderUnlock.*"
		"|(base::MutexLock::)?~MutexLock.*"
		"|(Mutex::)?AwaitCommon.*|(Mutex::)?Unlock.*|(Mutex::)?UnlockSlow.*|(Mutex::)?ReaderUnlock.*|(MutexLock::)?~"
		"MutexLock.*"
		"|(SpinLock::)?Unlock.*|(SpinLock::)?SlowUnlock.*|(SpinLockHolder::)?~SpinLockHolder.*";
/* Frames of CPU profilers, for everything else. */
static const char profiler_frames[] = "ProfileData::Add|ProfileData::prof_handler|CpuProfiler::prof_handler"
									  "|__pthread_sighandler|__restore";

static bool has_types(const struct profile *profile, uint32_t count, const char *const *names)
{
	if (profile->sample_type_count != count)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		if (!str_equal(profile_str(profile, profile->sample_types[i].type), str_of(names[i])))
			return false;
	}
	return true;
}

static bool is_of_allocations(const struct profile *profile)
{
	return has_types(profile, 2, (const char *[]){ "allocations", "size" }) ||
	       has_types(profile, 2, (const char *[]){ "objects", "space" }) ||
	       has_types(profile, 2, (const char *[]){ "inuse_objects", "inuse_space" }) ||
	       has_types(profile, 2, (const char *[]){ "alloc_objects", "alloc_space" }) ||
	       has_types(profile, 4, (const char *[]){ "alloc_objects", "alloc_space", "inuse_objects", "inuse_space" });
}

static uint32_t intern_pair(struct profile *profile, const char *first, const char *second)
{
	struct buffer both;
	buffer_init(&both, BUFFER_UNLIMITED);
	buffer_append_text(&both, first);
	buffer_append_text(&both, second);
	uint32_t string_ix = profile_intern(profile, buffer_str(&both));
	buffer_release(&both);
	return string_ix;
}

static void set_frame_rules(struct legacy *legacy)
{
	struct profile *profile = &legacy->profile;
	const char *drop = profiler_frames;
	if (is_of_allocations(profile)) {
		drop = allocator_frames;
		profile->keep_frames = profile_intern_text(profile, kept_frames);
	} else if (has_types(profile, 2, (const char *[]){ "contentions", "delay" })) {
		drop = lock_frames;
	}
	profile->drop_frames = intern_pair(profile, drop, legacy->more_drop_frames ? legacy->more_drop_frames : "");
}

enum status profile_parse_legacy(struct str bytes, struct profile *ret_profile, struct error *err)
{
	static enum status (*const recognisers[])(struct legacy *, struct str) = {
		legacy_parse_cpu,        legacy_parse_heap, legacy_parse_count,    legacy_parse_threads,
		legacy_parse_contention, legacy_parse_java, legacy_parse_jemalloc,
	};
	struct error unused;
	for (size_t i = 0; i < sizeof(recognisers) / sizeof(*recognisers); i++) {
		struct legacy legacy;
		legacy_init(&legacy, err ? err : &unused);
		enum status status = recognisers[i](&legacy, bytes);
		if (status == STATUS_OK) {
			set_frame_rules(&legacy);
			id_map_release(&legacy.by_address);
			*ret_profile = legacy.profile;
			return STATUS_OK;
		}
		legacy_release(&legacy);
		if (status != LEGACY_PASS)
			return status;
	}
	return error_set(err, STATUS_FORMAT, "unrecognized profile format");
}
