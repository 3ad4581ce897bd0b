cpprof_unit_test(graph graph profile)
