# libFuzzer targets, one a *_fuzz.cc, named after the file: FATHOM_FUZZ with clang, for example
#   cmake -B build-fuzz -DFATHOM_FUZZ=ON -DCMAKE_CXX_COMPILER=clang++ && build-fuzz/config_fuzz
# Each links the library that its name begins with ("checkpoint" where there is none of that name);
# the one of chat templates links "text".
if(FATHOM_FUZZ)
  file(GLOB fuzzers CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*_fuzz.cc)
  foreach(source ${fuzzers})
    get_filename_component(fuzzer ${source} NAME_WE)
    string(REGEX REPLACE "_fuzz$" "" library ${fuzzer})
    if(library STREQUAL "template")
      set(library text)
    endif()
    if(NOT TARGET fathom_${library})
      set(library checkpoint)
    endif()
    add_executable(${fuzzer} ${source})
    target_link_libraries(${fuzzer} PRIVATE fathom_${library})
    target_compile_options(${fuzzer} PRIVATE -fsanitize=fuzzer)
    target_link_options(${fuzzer} PRIVATE -fsanitize=fuzzer)
    target_include_directories(${fuzzer} PRIVATE ${CMAKE_SOURCE_DIR})
  endforeach()
endif()
