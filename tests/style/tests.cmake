find_package(Python3 COMPONENTS Interpreter REQUIRED)
add_test(NAME style COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/style/check_style.py)
