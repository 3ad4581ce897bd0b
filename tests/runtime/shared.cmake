cpprof_runtime_unit(shared rt_shared rt_model)
