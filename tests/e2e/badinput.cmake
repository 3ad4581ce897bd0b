cpprof_e2e_test(badinput ../badinput/run.py)
