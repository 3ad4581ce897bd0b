cpprof_unit_test(units profile)
