file(GLOB op_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/ops/records/*.cc)
fathom_registry(${target} op OpRecord "ops/op.h" AllOps ${op_files})
