cpprof_runtime_program(harm)
cpprof_runtime_test(harm)
