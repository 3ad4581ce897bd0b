if(TARGET example_leaky)
  cpprof_e2e_test(hunt ../demo/hunt.py)
  set_property(TEST e2e.hunt APPEND PROPERTY ENVIRONMENT "EXAMPLES=$<TARGET_FILE_DIR:example_leaky>")
endif()
