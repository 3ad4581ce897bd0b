cpprof_fuzz_target(protobuf wire)
