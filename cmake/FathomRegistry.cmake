# fathom_registry(target KIND TYPE header function files...) writes the list of records of a folder.
#
# Each file NAME.cc of the list defines `const TYPE& KIND_NAME();` in namespace fathom (for example
# `const OpRecord& op_rms_norm();`), and the generated source defines
# `std::span<const TYPE* const> FUNCTION()` over all of them: adding a file edits nothing else.
function(fathom_registry target kind type header function)
  set(declarations "")
  set(entries "")
  foreach(file ${ARGN})
    get_filename_component(name ${file} NAME_WE)
    string(APPEND declarations "const ${type}& ${kind}_${name}();\n")
    string(APPEND entries "      &${kind}_${name}(),\n")
  endforeach()
  set(path ${CMAKE_BINARY_DIR}/generated/${target}_registry.cc)
  file(CONFIGURE OUTPUT ${path} @ONLY CONTENT
"// Written by cmake/FathomRegistry.cmake from the files of the folder.
#include \"${header}\"

#include <array>
#include <span>

namespace fathom {

${declarations}
std::span<const ${type}* const> ${function}() {
  static const auto records = std::to_array<const ${type}*>({
${entries}  });
  return records;
}

}  // namespace fathom
")
  target_sources(${target}_objects PRIVATE ${path})
endfunction()
