set(contract_files contract_cancel.c contract_cond.c contract_fork.c contract_gone.c contract_jump.c contract_mutex.c contract_robust.c
    contract_rwlock.c contract_sem.c contract_threads.c)
add_library(program_contract_early SHARED contract_early.c)
target_compile_definitions(program_contract_early PRIVATE _GNU_SOURCE)
target_link_libraries(program_contract_early PRIVATE Threads::Threads)
set_target_properties(program_contract_early PROPERTIES OUTPUT_NAME contract_early
                      LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/programs)
cpprof_runtime_program(contract program_contract_early)
target_sources(program_contract PRIVATE ${contract_files})
# The same with the library linked in.
if(TARGET cpprof_static)
  add_executable(program_contract_static contract.c ${contract_files})
  target_link_libraries(program_contract_static PRIVATE cpprof_static program_contract_early Threads::Threads)
  target_compile_definitions(program_contract_static PRIVATE _GNU_SOURCE CONTRACT_STATIC)
  set_target_properties(program_contract_static PROPERTIES OUTPUT_NAME contract_static
                        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/programs)
endif()
cpprof_runtime_test(contract)
