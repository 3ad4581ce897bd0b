# What live processes serve, read by the reference too.
cpprof_runtime_test(reference_live)
