# fathom_tree_sitter_python(TARGET) builds the Python grammar of tree-sitter as an object library.
#
# The runtime is Debian's libtree-sitter-dev (0.20.7, ABI 13 and 14); the grammar's two C files
# and the headers they include come from the Python package index by version and checksum, into the
# build folder, once. tools/fetch_sdist.py says which index is asked and where archives are kept.
function(fathom_tree_sitter_python target)
  set(folder ${CMAKE_BINARY_DIR}/tree-sitter-python)
  find_package(Python3 COMPONENTS Interpreter REQUIRED)
  find_library(TREE_SITTER_LIBRARY tree-sitter REQUIRED)
  find_path(TREE_SITTER_INCLUDE_DIR tree_sitter/api.h REQUIRED)
  set(headers "")
  foreach(header alloc.h array.h parser.h ts_assert.h)
    list(APPEND headers tree_sitter/core/lib/src/${header}=tree_sitter/${header})
  endforeach()
  if(NOT EXISTS ${folder}/.complete-0.23.6)
    fathom_fetch_sdist(tree-sitter 0.23.2
        66bae8dd47f1fed7bdef816115146d3a41c39b5c482d7bad36d9ba1def088450 ${folder} ${headers})
    fathom_fetch_sdist(tree-sitter-python 0.23.6
        354bfa0a2f9217431764a631516f85173e9711af2c13dbd796a8815acfe505d9 ${folder}
        src/parser.c src/scanner.c)
    file(TOUCH ${folder}/.complete-0.23.6)
  endif()
  add_library(${target} OBJECT ${folder}/parser.c ${folder}/scanner.c)
  target_include_directories(${target} PRIVATE ${folder})
  # Not our code: its warnings are not ours to mend.
  target_compile_options(${target} PRIVATE -w)
endfunction()

function(fathom_fetch_sdist name version sha256 folder)
  execute_process(COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/fetch_sdist.py
                          ${name} ${version} ${sha256} ${folder} ${ARGN}
                  RESULT_VARIABLE failed ERROR_VARIABLE problem ERROR_STRIP_TRAILING_WHITESPACE)
  if(failed)
    message(FATAL_ERROR "the audit's Python grammar could not be fetched: ${problem}. It is needed "
                        "once: connect to the network, or put ${name}-${version}.tar.gz into "
                        "~/.cache/fathom.")
  endif()
endfunction()
