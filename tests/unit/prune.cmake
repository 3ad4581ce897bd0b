cpprof_unit_test(prune profile)
