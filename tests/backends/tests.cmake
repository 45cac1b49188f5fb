target_sources(${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/backends/amx_emulated_rows.cc)
