# The fixed forms of the command line and hostile files through it: Python, standard library only.
if(TARGET fathom)
  find_package(Python3 COMPONENTS Interpreter REQUIRED)
  foreach(part forms hostile measure outputs explain audit report)
    add_test(NAME cli_${part}
             COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/cli/${part}_test.py
                     $<TARGET_FILE:fathom>)
    set_tests_properties(cli_${part} PROPERTIES TIMEOUT 900
                         ENVIRONMENT "FATHOM_SANITIZE=${FATHOM_SANITIZE};PYTHONDONTWRITEBYTECODE=1")
  endforeach()
endif()
