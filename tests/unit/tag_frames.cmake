cpprof_unit_test(tag_frames profile)
