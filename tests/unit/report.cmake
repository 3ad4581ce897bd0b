cpprof_unit_test(report report profile)
