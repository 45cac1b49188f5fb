file(GLOB command_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/cli/commands/*.cc)
fathom_registry(${target} command Command "cli/command.h" AllCommands ${command_files})
target_compile_definitions(${target}_objects PRIVATE FATHOM_VERSION="${PROJECT_VERSION}")
target_link_libraries(${target} INTERFACE edit)
