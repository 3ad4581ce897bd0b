cpprof_unit_test(wire wire)
