cpprof_fuzz_target(gzip wire)
