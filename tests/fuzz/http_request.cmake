if(TARGET rt_http)
  cpprof_fuzz_target(http_request)
  target_sources(fuzz_http_request PRIVATE $<TARGET_OBJECTS:rt_http>)
endif()
