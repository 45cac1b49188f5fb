# fathom_library(NAME LEVEL n LINKS other...) builds src/NAME as the library fathom_NAME.
#
# All *.cc below the folder belong to it. A folder may carry a `library.cmake`, included with
# ${target} set, for packages it needs or files with conditions of their own. A library whose
# records register themselves (operations, architectures, kernels) is an object library, so that the
# linker drops none of them: adding a file edits nothing else.
function(fathom_library name)
  cmake_parse_arguments(ARG "REGISTRY" "LEVEL" "LINKS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cc)
  if(NOT sources)
    return()
  endif()
  set(target fathom_${name})
  add_library(${target}_objects OBJECT ${sources})
  target_include_directories(${target}_objects PUBLIC
                             ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${target}_objects PUBLIC fmt::fmt Threads::Threads)
  add_library(${target} INTERFACE)
  target_link_libraries(${target} INTERFACE ${target}_objects $<TARGET_OBJECTS:${target}_objects>)
  foreach(link ${ARG_LINKS})
    if(TARGET fathom_${link})
      target_link_libraries(${target} INTERFACE fathom_${link})
      # What its headers need of others (the audit's, of tree-sitter).
      target_include_directories(
        ${target}_objects SYSTEM PUBLIC
        $<TARGET_PROPERTY:fathom_${link},INTERFACE_SYSTEM_INCLUDE_DIRECTORIES>)
    endif()
  endforeach()
  if(EXISTS ${CMAKE_SOURCE_DIR}/src/${name}/library.cmake)
    include(${CMAKE_SOURCE_DIR}/src/${name}/library.cmake)
  endif()
endfunction()
