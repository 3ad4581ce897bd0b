cpprof_unit_test(merge profile)
