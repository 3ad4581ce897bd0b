cpprof_unit_test(filter profile)
