cpprof_e2e_test(golden ../golden/run.py)
