cpprof_e2e_test(real ../real/run.py)
