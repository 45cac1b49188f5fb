# The Python grammar: tree-sitter, fetched by version and checksum.
include(${CMAKE_SOURCE_DIR}/cmake/FathomTreeSitterPython.cmake)
fathom_tree_sitter_python(${target}_grammar)
target_include_directories(${target}_objects SYSTEM PUBLIC ${FATHOM_TREE_SITTER_INCLUDE_DIR})
target_include_directories(${target} SYSTEM INTERFACE ${FATHOM_TREE_SITTER_INCLUDE_DIR})
target_link_libraries(${target} INTERFACE $<TARGET_OBJECTS:${target}_grammar>)

# One file a row of the audit.
file(GLOB row_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/audit/rules/rows/*.cc)
fathom_registry(${target} row Row "audit/rules/row.h" AllRows ${row_files})
