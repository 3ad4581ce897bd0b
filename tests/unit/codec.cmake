cpprof_unit_test(codec profile)
