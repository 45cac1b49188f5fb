# Cross build for AArch64, where the NEON kernels are compiled and run under qemu:
#   cmake -B build-aarch64 -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64.cmake
# FATHOM_SYSROOT holds the unpacked arm64 packages of fmt, gtest and onig (tools/test_all.sh neon
# makes it); what is headers alone comes from there too.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
if(NOT FATHOM_SYSROOT)
  set(FATHOM_SYSROOT ${CMAKE_CURRENT_LIST_DIR}/../build-aarch64/sysroot)
endif()
get_filename_component(FATHOM_SYSROOT ${FATHOM_SYSROOT} ABSOLUTE)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES FATHOM_SYSROOT)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH ${FATHOM_SYSROOT} /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
include_directories(SYSTEM ${FATHOM_SYSROOT}/usr/include)
link_directories(${FATHOM_SYSROOT}/usr/lib/aarch64-linux-gnu)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu
    -E LD_LIBRARY_PATH=${FATHOM_SYSROOT}/usr/lib/aarch64-linux-gnu)
