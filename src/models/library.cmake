file(GLOB architecture_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/models/architectures/*.cc)
fathom_registry(${target} architecture Architecture "models/architecture.h" AllArchitectures
                ${architecture_files})
