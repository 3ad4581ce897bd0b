cpprof_fuzz_target(url fetch)
