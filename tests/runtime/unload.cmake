cpprof_runtime_unit(unloaded rt_shared rt_model)

# A program that unloads plugins, and what is said of them afterwards.
cpprof_runtime_program(unload_program ${CMAKE_DL_LIBS})
foreach(name alpha beta)
  add_library(program_unload_plugin_${name} MODULE unload_plugin.c)
  target_compile_options(program_unload_plugin_${name} PRIVATE -g -O1)
  target_compile_definitions(program_unload_plugin_${name} PRIVATE _GNU_SOURCE NAME=${name})
  # By its build id it is told whether it is the same that has come back.
  target_link_options(program_unload_plugin_${name} PRIVATE -Wl,--build-id=sha1)
  list(APPEND unload_plugins program_unload_plugin_${name})
  set_target_properties(program_unload_plugin_${name} PROPERTIES OUTPUT_NAME unload_plugin_${name})
endforeach()
set_target_properties(${unload_plugins} PROPERTIES PREFIX "" C_VISIBILITY_PRESET default
                      LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/programs)
cpprof_runtime_test(unload)
