# What the profiles block, mutex and wait are made of: the clock, the sums, the locks that are waited for, their names, the text.
cpprof_runtime_unit(ticks rt_shared rt_model)
cpprof_runtime_unit(contention rt_contention rt_shared rt_model)
cpprof_runtime_unit(waiters rt_contention rt_shared rt_model)
cpprof_runtime_unit(lock_names rt_contention rt_shared rt_model)
cpprof_runtime_unit(render_contention rt_collect rt_shared rt_model)

# The text, read by the reference and by the tool.
if(TARGET cpprof AND NOT CPPROF_SANITIZE)
  add_executable(rt_contention_sample contention_sample.c)
  target_sources(rt_contention_sample PRIVATE $<TARGET_OBJECTS:rt_collect> $<TARGET_OBJECTS:rt_shared> $<TARGET_OBJECTS:rt_model>)
  target_link_libraries(rt_contention_sample PRIVATE cpprof_options Threads::Threads ${CPPROF_DEFLATE_ARCHIVE})
  target_include_directories(rt_contention_sample PRIVATE ${PROJECT_SOURCE_DIR}/include)
  target_compile_options(rt_contention_sample PRIVATE -g -O1)
  add_test(NAME runtime.contention_reference COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/contention_reference.py
           $<TARGET_FILE:rt_contention_sample> $<TARGET_FILE:cpprof>)
  set_tests_properties(runtime.contention_reference PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77 LABELS runtime
                       ENVIRONMENT "PYTHONDONTWRITEBYTECODE=1")
endif()
