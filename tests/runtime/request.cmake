cpprof_runtime_unit(request rt_http)
