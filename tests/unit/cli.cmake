cpprof_unit_test(cli cli)
