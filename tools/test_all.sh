#!/bin/sh
# What `make test` has no time for. Stages: tools/test_all.sh [STAGE...], without one all of them:
#
#   release   the whole suite; the golden models run in every arm that this machine has: reference
#             backend, eager and planned plan, each instruction set forced, both tokenizers
#   asan      the suite under the address and undefined-behaviour sanitizers
#   tsan      base, engine and backends under the thread sanitizer
#   fuzz      every fuzz target for FUZZ_SECONDS (60) with clang's libFuzzer
#   neon      cross build for AArch64; base, tensor, ops, backends, engine and models under qemu
#
# Each stage prints one line at its end; exits 1 where one failed. JOBS: how many at once (2).
# Logs: build-test-all/STAGE.log. SETUP=no leaves the packages alone.
set -u
cd "$(dirname "$0")/.." || exit 1
jobs=${JOBS:-2}
fuzz_seconds=${FUZZ_SECONDS:-60}
logs=$PWD/build-test-all
mkdir -p "$logs"
flags="-G Ninja"
command -v ccache >/dev/null 2>&1 && flags="$flags -DCMAKE_CXX_COMPILER_LAUNCHER=ccache"
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:allocator_may_return_null=1}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
export TSAN_OPTIONS="${TSAN_OPTIONS:-halt_on_error=1}"

# build FOLDER TARGETS FLAGS...: TARGETS is "all", or names parted by spaces.
build() {
  folder=$1
  targets=$2
  shift 2
  cmake -S . -B "$folder" $flags "$@" && cmake --build "$folder" -j "$jobs" --target $targets
}

release() {
  build build-release all -DCMAKE_BUILD_TYPE=Release &&
    ctest --test-dir build-release --output-on-failure -j 1
}

asan() {
  build build-asan all -DCMAKE_BUILD_TYPE=RelWithDebInfo -DFATHOM_SANITIZE=address,undefined &&
    ctest --test-dir build-asan --output-on-failure --timeout 3600 -j 1 -E '^style$'
}

tsan() {
  build build-tsan "base_test engine_test backends_test" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DFATHOM_SANITIZE=thread || return 1
  for test in base engine backends; do
    # The goldens repeat the same steps in every arm; one planned arm has all the threads there are.
    build-tsan/${test}_test --gtest_filter='-*cpu_eager*:*Random*' || return 1
  done
}

fuzz() {
  command -v clang++-19 >/dev/null 2>&1 || { echo "clang++-19 is missing"; return 1; }
  targets=""
  for source in tests/fuzz/*_fuzz.cc; do
    targets="$targets $(basename "$source" .cc)"
  done
  build build-fuzz "$targets" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DFATHOM_FUZZ=ON \
    -DCMAKE_C_COMPILER=clang-19 -DCMAKE_CXX_COMPILER=clang++-19 \
    -DFATHOM_SANITIZE=address,undefined || return 1
  for target in $targets; do
    mkdir -p "build-fuzz/corpus/$target"
    echo "$target for $fuzz_seconds s"
    (cd build-fuzz && "./$target" -max_total_time="$fuzz_seconds" -timeout=10 -rss_limit_mb=2048 \
      -print_final_stats=1 "corpus/$target") || return 1
  done
}

# Unpacks the arm64 packages that the build links into build-aarch64/sysroot, through a state of
# apt's own, so that the machine's packages stay as they are.
arm64_sysroot() {
  root=$PWD/build-aarch64
  sysroot=$root/sysroot
  [ -e "$sysroot/.complete" ] && return 0
  apt=$root/apt
  mkdir -p "$sysroot" "$apt/state/lists/partial" "$apt/cache/archives/partial" "$apt/debs"
  : >"$apt/status"
  options="-oDir::State=$apt/state -oDir::State::status=$apt/status -oDir::Cache=$apt/cache
    -oAPT::Architecture=arm64 -oAPT::Architectures=arm64 -oAPT::Sandbox::User=root"
  apt-get $options update || return 1
  (cd "$apt/debs" && apt-get $options download libfmt-dev libfmt9 libgtest-dev libgmock-dev \
    googletest libonig-dev libonig5 libhwy-dev libhwy1 nlohmann-json3-dev libcli11-dev \
    libedit-dev libedit2) || return 1
  for deb in "$apt"/debs/*.deb; do
    dpkg -x "$deb" "$sysroot" || return 1
  done
  touch "$sysroot/.complete"
}

neon() {
  command -v qemu-aarch64 >/dev/null 2>&1 || { echo "qemu-aarch64 is missing"; return 1; }
  arm64_sysroot || return 1
  tests="base tensor ops backends engine models"
  targets=""
  for test in $tests; do targets="$targets ${test}_test"; done
  build build-aarch64 "$targets" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_TOOLCHAIN_FILE="$PWD/cmake/aarch64.cmake" || return 1
  libraries=$PWD/build-aarch64/sysroot/usr/lib/aarch64-linux-gnu
  for test in $tests; do
    qemu-aarch64 -L /usr/aarch64-linux-gnu -E LD_LIBRARY_PATH="$libraries" \
      "build-aarch64/${test}_test" || return 1
  done
}

case "${SETUP:-yes}" in
  yes) tools/setup.sh && tools/setup.sh all || exit 1 ;;
esac
[ $# -gt 0 ] || set -- release asan tsan fuzz neon
failed=0
for stage in "$@"; do
  case $stage in
    release | asan | tsan | fuzz | neon) ;;
    *)
      echo "test_all: no stage $stage; there are release asan tsan fuzz neon" >&2
      exit 2
      ;;
  esac
done
for stage in "$@"; do
  if "$stage" >"$logs/$stage.log" 2>&1; then
    echo "$stage: passed"
  else
    failed=1
    tail -n 40 "$logs/$stage.log"
    echo "$stage: FAILED, see $logs/$stage.log"
  fi
done
exit $failed
