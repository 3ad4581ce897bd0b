cpprof_e2e_test(shell ../shell/run.py)
