# fathom_tree_sitter_python(TARGET) builds tree-sitter and its Python grammar as an object library.
#
# Both come from the Python package index by version and checksum, into the build folder, once.
# tools/fetch_sdist.py says which index is asked and where archives are kept. Debian's runtime
# (libtree-sitter-dev 0.20.7) will not do: it frees a wrong address where a node has 65,536 children
# or more, which a text of that many open brackets brings about.
function(fathom_tree_sitter_python target)
  set(folder ${CMAKE_BINARY_DIR}/tree-sitter-python)
  set(FATHOM_TREE_SITTER_INCLUDE_DIR ${folder}/lib/include PARENT_SCOPE)
  find_package(Python3 COMPONENTS Interpreter REQUIRED)
  if(NOT EXISTS ${folder}/.complete-0.23.6-0.23.2)
    fathom_fetch_sdist(tree-sitter 0.23.2
        66bae8dd47f1fed7bdef816115146d3a41c39b5c482d7bad36d9ba1def088450 ${folder}
        tree_sitter/core/lib/=lib/)
    fathom_fetch_sdist(tree-sitter-python 0.23.6
        354bfa0a2f9217431764a631516f85173e9711af2c13dbd796a8815acfe505d9 ${folder}
        src/parser.c src/scanner.c)
    # The grammar wants the headers of the library's inside as <tree_sitter/...>.
    file(MAKE_DIRECTORY ${folder}/grammar_include)
    foreach(header alloc.h array.h parser.h ts_assert.h)
      configure_file(${folder}/lib/src/${header} ${folder}/grammar_include/tree_sitter/${header}
                     COPYONLY)
    endforeach()
    file(TOUCH ${folder}/.complete-0.23.6-0.23.2)
  endif()
  add_library(${target} OBJECT ${folder}/parser.c ${folder}/scanner.c ${folder}/lib/src/lib.c)
  target_include_directories(${target} PRIVATE ${folder}/lib/include ${folder}/lib/src
                                               ${folder}/grammar_include)
  # Not our code: its warnings are not ours to mend, nor its calls through pointers of other types,
  # where the undefined-behaviour sanitizer stops. The address sanitizer holds for it too.
  target_compile_options(${target} PRIVATE -w -fno-sanitize=undefined)
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
