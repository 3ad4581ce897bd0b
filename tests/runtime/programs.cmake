# Real programs under `cpprof run`: programs.py has a case for each, which is a test of its own.
add_library(program_plant SHARED programs_plant.c)
target_compile_definitions(program_plant PRIVATE _GNU_SOURCE)
target_link_libraries(program_plant PRIVATE Threads::Threads)
set_target_properties(program_plant PROPERTIES OUTPUT_NAME plant LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/programs)

if(TARGET cpprof_shared AND TARGET cpprof)
  foreach(program python3 bash sqlite3 node cxx gcc redis redis_daemon nginx nginx_daemon memcached memcached_daemon postgres)
    add_test(NAME runtime.programs.${program} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/programs.py
             --library $<TARGET_FILE:cpprof_shared> --tool $<TARGET_FILE:cpprof> --programs ${CMAKE_CURRENT_BINARY_DIR}/programs
             --only ${program})
    set_tests_properties(runtime.programs.${program} PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77 LABELS runtime
                         ENVIRONMENT "PYTHONDONTWRITEBYTECODE=1")
  endforeach()
endif()
