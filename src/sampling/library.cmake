file(GLOB processor_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/sampling/processors/*.cc)
fathom_registry(${target} processor LogitsProcessor "sampling/processor.h" AllLogitsProcessors
                ${processor_files})
