cpprof_runtime_program(cpu_work ${CMAKE_DL_LIBS})
# Its symbols are what dlsym() and the profile are to find.
add_library(program_cpu_plugin SHARED cpu_plugin.c)
set_target_properties(program_cpu_plugin PROPERTIES OUTPUT_NAME cpu_plugin
                      LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/programs)
cpprof_runtime_test(cpu_truth)
cpprof_runtime_unit(cpu_rows rt_shared rt_model)
target_sources(rt_test_cpu_rows PRIVATE ${PROJECT_SOURCE_DIR}/src/runtime/collect/cpu_rows.c)
