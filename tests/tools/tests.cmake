find_package(Python3 COMPONENTS Interpreter REQUIRED)
add_test(NAME tools COMMAND ${Python3_EXECUTABLE} -B
         ${CMAKE_SOURCE_DIR}/tests/tools/compare_peers_test.py)
