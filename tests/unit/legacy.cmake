cpprof_unit_test(legacy profile)
