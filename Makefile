# Fathom: two commands do everything on a fresh Debian machine.
#
#   make run        installs what is missing, builds, tells a tale with the demo model
#   make test       the same, then the test-suite
#
#   make            the optimized binary, build/fathom
#   make test-all   sanitizers, every instruction set forced, every row off, NEON under qemu
#   make bench      the measured tables
#   make style      the style and include rules alone
BUILD    ?= build
TYPE     ?= Release
JOBS     ?= $(shell nproc 2>/dev/null || echo 2)
LAUNCHER := $(shell command -v ccache 2>/dev/null)
CMAKE_FLAGS := -G Ninja -DCMAKE_BUILD_TYPE=$(TYPE) \
               $(if $(LAUNCHER),-DCMAKE_CXX_COMPILER_LAUNCHER=$(LAUNCHER))

.PHONY: all run test test-all bench style setup clean

all: setup
	@cmake -S . -B $(BUILD) $(CMAKE_FLAGS) -DFATHOM_TESTS=OFF >$(BUILD).log 2>&1 || \
	  { cat $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log
	@cmake --build $(BUILD) -j $(JOBS) --target fathom

run: all
	@$(BUILD)/fathom run

test: setup
	@cmake -S . -B $(BUILD) $(CMAKE_FLAGS) -DFATHOM_TESTS=ON
	@cmake --build $(BUILD) -j $(JOBS)
	@ctest --test-dir $(BUILD) --output-on-failure -j 1

test-all: setup
	@tools/test_all.sh

bench: setup
	@cmake -S . -B $(BUILD)-bench $(CMAKE_FLAGS) -DFATHOM_TESTS=OFF -DFATHOM_BENCHMARKS=ON
	@cmake --build $(BUILD)-bench -j $(JOBS)
	@tools/bench.sh $(BUILD)-bench

style:
	@python3 tests/style/check_style.py

setup:
	@tools/setup.sh

clean:
	rm -rf build build-*
