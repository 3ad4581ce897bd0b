# Programs that know what they have waited for, or spent.
foreach(program truth_locks truth_progress truth_io)
  cpprof_runtime_program(${program} ${CMAKE_DL_LIBS})
endforeach()
cpprof_runtime_program(truth_timed m)
cpprof_runtime_program(truth_plugins ${CMAKE_DL_LIBS})

# Their lines are looked for, in every kind of build.
foreach(name alpha beta)
  add_library(program_truth_plugin_${name} MODULE truth_plugin.c)
  target_compile_options(program_truth_plugin_${name} PRIVATE -g -O1)
  target_compile_definitions(program_truth_plugin_${name} PRIVATE SPINS=${name}_spins)
  set_target_properties(program_truth_plugin_${name} PROPERTIES OUTPUT_NAME truth_plugin_${name} PREFIX "" C_VISIBILITY_PRESET default
                        LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/programs)
endforeach()

foreach(test truth_locks truth_io truth_plugins truth_eintr)
  cpprof_runtime_test(${test})
endforeach()
if(TARGET cpprof_shared AND TARGET cpprof)
  foreach(program memcached python3 mariadb)
    add_test(NAME runtime.truth_programs.${program} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/truth_programs.py
             --library $<TARGET_FILE:cpprof_shared> --tool $<TARGET_FILE:cpprof> --programs ${CMAKE_CURRENT_BINARY_DIR}/programs
             --only ${program})
    set_tests_properties(runtime.truth_programs.${program} PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77 LABELS runtime
                         ENVIRONMENT "PYTHONDONTWRITEBYTECODE=1")
  endforeach()
endif()
