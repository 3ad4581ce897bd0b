cpprof_e2e_test(fetch ../fetch/run.py)
