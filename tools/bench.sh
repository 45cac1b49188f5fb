#!/bin/sh
# The measured tables of `make bench`: tools/bench.sh [BUILD FOLDER].
#
# Tokens a second and share of the roof for the demo model and a published shape, and the peak of
# memory that loading a model of 1 GB takes. Figures are of this machine, and only as good as it is
# idle.
set -eu
cd "$(dirname "$0")/.."
fathom=${1:-build}/fathom
[ -x "$fathom" ] || { echo "bench: $fathom is not built" >&2; exit 1; }

status=0
echo "== demo model"
"$fathom" bench models/fathom-tales || status=1
echo
echo "== smollm2-135m on random weights"
"$fathom" bench --shape smollm2-135m --dtype float32,bfloat16 --batch 1,8 || status=1
echo
echo "== memory of loading 1 GB"
python3 tools/bench_load.py "$fathom" || status=1
exit $status
