# 500 random cases against the reference; skipped where it is not installed. One case again: tests/differential/run.py --case N -v
cpprof_e2e_test(differential ../differential/run.py)
