target_compile_definitions(${target}_objects PRIVATE FATHOM_VERSION="${PROJECT_VERSION}")
