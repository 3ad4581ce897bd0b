# Places where little is permitted.
cpprof_runtime_program(places_enter)
cpprof_runtime_program(places_program)
cpprof_runtime_test(places)
