cpprof_e2e_test(symbolize ../symbolize/run.py)
