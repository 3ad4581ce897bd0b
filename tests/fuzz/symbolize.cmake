cpprof_fuzz_target(elf symbolize profile)
cpprof_fuzz_target(demangle symbolize profile)
cpprof_fuzz_target(symbolz symbolize profile)
