#!/bin/sh
# Takes a newly trained model into models/fathom-tales, if its held-out loss is better, and makes
# again what hangs on it: training.json, the numbers of the card, the golden, the measuring text.
#
#   PYTHON=.venv/bin/python tools/refresh_demo.sh OUT       # OUT as written by train_tales.py train
#
# Needs the packages of tools/goldens/requirements.txt.
set -eu
[ $# -eq 1 ] || { sed -n 2,7p "$0"; exit 2; }
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}
"$python" "$root/tools/train_tales.py" take "$1" "$root/models/fathom-tales"
"$python" "$root/tools/goldens/make_demo.py"
"$python" "$root/tools/write_measure_text.py"
