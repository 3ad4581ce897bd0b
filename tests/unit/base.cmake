cpprof_unit_test(base base)
