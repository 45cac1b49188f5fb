# The Python grammar: Debian's tree-sitter with the grammar that is fetched by version and checksum.
include(${CMAKE_SOURCE_DIR}/cmake/FathomTreeSitterPython.cmake)
fathom_tree_sitter_python(${target}_grammar)
target_include_directories(${target}_objects PUBLIC ${TREE_SITTER_INCLUDE_DIR})
target_include_directories(${target} INTERFACE ${TREE_SITTER_INCLUDE_DIR})
target_link_libraries(${target} INTERFACE $<TARGET_OBJECTS:${target}_grammar>
                                          ${TREE_SITTER_LIBRARY})

# One file a row of the audit.
file(GLOB row_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/audit/rules/rows/*.cc)
fathom_registry(${target} row Row "audit/rules/row.h" AllRows ${row_files})
