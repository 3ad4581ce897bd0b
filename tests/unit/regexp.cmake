cpprof_unit_test(regexp regexp)
