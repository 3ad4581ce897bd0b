# Parsers of libcpprof, with the parts of it that they stand on.
if(TARGET rt_collect)
  foreach(name maps own_elf)
    cpprof_fuzz_target(${name})
    target_link_libraries(fuzz_${name} PRIVATE cpprof_options ${CPPROF_DEFLATE_ARCHIVE})
    target_include_directories(fuzz_${name} PRIVATE ${PROJECT_SOURCE_DIR}/include)
    target_sources(fuzz_${name} PRIVATE $<TARGET_OBJECTS:rt_collect> $<TARGET_OBJECTS:rt_shared> $<TARGET_OBJECTS:rt_model>)
  endforeach()
endif()
