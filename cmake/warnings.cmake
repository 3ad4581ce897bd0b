# The compiler's settings for every target of ours: language, warnings, sanitizers. Not for dependencies.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
# Assertions stay on everywhere but in the release build.
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")
set(CMAKE_C_FLAGS_RELEASE "-O2 -DNDEBUG")

add_library(cpprof_options INTERFACE)
target_compile_definitions(cpprof_options INTERFACE _GNU_SOURCE CPPROF_VERSION="${PROJECT_VERSION}")
target_compile_options(cpprof_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes -Wundef
  -Wvla -Wformat=2 -Wcast-qual -Wwrite-strings)
target_include_directories(cpprof_options INTERFACE ${PROJECT_SOURCE_DIR}/src)

if(CPPROF_WERROR)
  target_compile_options(cpprof_options INTERFACE -Werror)
endif()

if(CPPROF_SANITIZE)
  # Undefined behaviour ends the process as a bad address does: a report that only scrolls past proves nothing.
  add_compile_options(-fsanitize=${CPPROF_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${CPPROF_SANITIZE})
  if(CMAKE_C_COMPILER_ID STREQUAL Clang AND CPPROF_SANITIZE MATCHES undefined)
    # A run of no elements of an array that was never made is NULL + 0: C++ and the compilers allow it, C has only
    # begun to.
    add_compile_options(-fno-sanitize=pointer-overflow)
  endif()
endif()

if(CPPROF_LTO)
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
endif()

if(CPPROF_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()
