cpprof_fuzz_target(profile profile)
