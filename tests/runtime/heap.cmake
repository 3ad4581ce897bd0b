foreach(program heap_truth heap_storm heap_own_malloc heap_plugin malloc_family)
  cpprof_runtime_program(${program} ${CMAKE_DL_LIBS})
endforeach()
add_library(program_safe_malloc SHARED safe_malloc.c)
target_compile_definitions(program_safe_malloc PRIVATE _GNU_SOURCE)
set_target_properties(program_safe_malloc PROPERTIES OUTPUT_NAME safe_malloc
                      LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/programs)
target_sources(program_heap_own_malloc PRIVATE safe_malloc.c)
# Their malloc is to be everybody's.
set_target_properties(program_safe_malloc program_heap_own_malloc PROPERTIES C_VISIBILITY_PRESET default)

cpprof_runtime_test(heap_truth)
cpprof_runtime_test(heap_storm)
cpprof_runtime_test(heap_allocators)
cpprof_runtime_test(malloc_family)
