#!/bin/sh
# Installs what the build needs from Debian's packages, where something is missing; says what to do
# where it cannot. `tools/setup.sh all` adds what `make test-all` needs beyond `make test`.
set -eu

packages="g++ cmake ninja-build python3 libfmt-dev nlohmann-json3-dev libcli11-dev libonig-dev
libedit-dev libhwy-dev libgtest-dev libgmock-dev"
extra="clang-19 libclang-rt-19-dev qemu-user g++-aarch64-linux-gnu"
[ "${1:-}" = all ] && packages="$packages $extra"

if ! command -v dpkg-query >/dev/null 2>&1; then
  for tool in c++ cmake ninja python3; do
    command -v "$tool" >/dev/null 2>&1 || {
      echo "setup: this is no Debian machine and '$tool' is missing; install it and the" \
           "development packages of: $packages" >&2
      exit 1
    }
  done
  exit 0
fi

missing=""
for package in $packages; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "ok installed" ||
    missing="$missing $package"
done
# A tool that was installed by other means (a newer cmake, say) serves as well as the package.
for pair in g++:g++ cmake:cmake ninja-build:ninja python3:python3; do
  command -v "${pair#*:}" >/dev/null 2>&1 &&
    missing=$(printf ' %s ' "$missing" | sed "s/ ${pair%%:*} / /")
done
missing=$(echo $missing)
[ -z "$missing" ] && exit 0

if [ "$(id -u)" = 0 ]; then
  as_root=""
elif command -v sudo >/dev/null 2>&1; then
  as_root="sudo"
else
  echo "setup: these packages are missing and need root to install: $missing" >&2
  echo "setup: run as root:  apt-get install --no-install-recommends $missing" >&2
  exit 1
fi
echo "setup: installing $missing" >&2
log=$(mktemp)
# A list of packages older than the mirror's gives 404: try with it once, then refresh.
if ! $as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends $missing >"$log" 2>&1; then
  $as_root apt-get update >"$log" 2>&1 &&
    $as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y --no-install-recommends $missing >>"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    echo "setup: could not install $missing (see above)" >&2
    rm -f "$log"
    exit 1
  }
fi
rm -f "$log"
