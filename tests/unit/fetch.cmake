cpprof_unit_test(fetch fetch)
