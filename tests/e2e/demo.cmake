# What `./dev demo` plays, with the program just built.
cpprof_e2e_test(demo ../demo/run.py)
