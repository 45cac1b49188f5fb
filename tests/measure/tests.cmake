# Fresh processes of the program itself.
if(TARGET fathom)
  add_dependencies(${target} fathom)
  target_compile_definitions(${target} PRIVATE FATHOM_BINARY="$<TARGET_FILE:fathom>")
endif()
