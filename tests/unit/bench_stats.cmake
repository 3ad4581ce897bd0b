# The statistics that the benchmarks judge by.
add_test(NAME unit.bench_stats COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/bench/test_stats.py)
set_tests_properties(unit.bench_stats PROPERTIES TIMEOUT 120 LABELS unit ENVIRONMENT "PYTHONDONTWRITEBYTECODE=1")
