cpprof_fuzz_target(regexp regexp)
