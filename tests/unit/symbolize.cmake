cpprof_unit_test(symbolize symbolize profile)
