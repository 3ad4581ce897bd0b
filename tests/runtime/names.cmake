# The collect/ layer on fakes of what it asks of others (collect_fakes.h).
foreach(name names table render)
  cpprof_runtime_unit(${name} rt_collect rt_shared rt_model)
endforeach()

# The helper is the tool itself, so this one takes an argument. Built with a sanitizer, the tool does not fit in the address
# space that a helper is given.
if(TARGET cpprof AND NOT CPPROF_SANITIZE)
  add_executable(rt_test_helper test_helper.c)
  target_sources(rt_test_helper PRIVATE $<TARGET_OBJECTS:rt_collect> $<TARGET_OBJECTS:rt_shared> $<TARGET_OBJECTS:rt_model>)
  target_link_libraries(rt_test_helper PRIVATE cpprof_options Threads::Threads ${CPPROF_DEFLATE_ARCHIVE})
  target_include_directories(rt_test_helper PRIVATE ${PROJECT_SOURCE_DIR}/include)
  # Its lines and inlined frames are what is looked for, in every kind of build.
  target_compile_options(rt_test_helper PRIVATE -g -O1)
  add_test(NAME runtime.helper COMMAND rt_test_helper $<TARGET_FILE:cpprof>)
  set_tests_properties(runtime.helper PROPERTIES TIMEOUT 120 SKIP_RETURN_CODE 77 LABELS runtime)
endif()

# What is rendered, read by the reference and by the tool.
if(TARGET cpprof AND NOT CPPROF_SANITIZE)
  add_executable(rt_names_sample names_sample.c)
  target_sources(rt_names_sample PRIVATE $<TARGET_OBJECTS:rt_collect> $<TARGET_OBJECTS:rt_shared> $<TARGET_OBJECTS:rt_model>)
  target_link_libraries(rt_names_sample PRIVATE cpprof_options Threads::Threads ${CPPROF_DEFLATE_ARCHIVE})
  target_include_directories(rt_names_sample PRIVATE ${PROJECT_SOURCE_DIR}/include)
  target_compile_options(rt_names_sample PRIVATE -g -O1)
  add_test(NAME runtime.names_reference COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/names_reference.py
           $<TARGET_FILE:rt_names_sample> $<TARGET_FILE:cpprof>)
  set_tests_properties(runtime.names_reference PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77 LABELS runtime
                       ENVIRONMENT "PYTHONDONTWRITEBYTECODE=1")
endif()
