# Oniguruma: the engine that Hugging Face tokenizers itself uses, for patterns that have no scanner.
find_library(ONIG_LIBRARY onig REQUIRED)
find_path(ONIG_INCLUDE_DIR oniguruma.h REQUIRED)
target_include_directories(${target}_objects PRIVATE ${ONIG_INCLUDE_DIR})
target_link_libraries(${target} INTERFACE ${ONIG_LIBRARY})
