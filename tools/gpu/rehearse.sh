#!/usr/bin/env bash
# rehearse.sh WEIGHTS RUNS: the commands of docs/gpu.md on this machine's CPU with tiny sizes (plan-rehearsal.json), in a
# fresh environment that has only what machine.txt and the carried wheels give. Needs the network while packing. PYTHON:
# the environment that packs. It prints a log with times and ends with an error if a stage did.
set -euo pipefail
weights=$(realpath "$1") runs=$(realpath "$2")
python=$(realpath -s "${PYTHON:-python3}")
root=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say() { printf '%4d s  %s\n' "$SECONDS" "$*"; }
mkdir "$work/tree" "$work/clips" "$work/out"
git -C "$root" ls-files -z | (cd "$root" && xargs -0 cp --parents -t "$work/tree")
cp "$root/examples/flight.mp4" "$work/clips/"
release=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
(cd "$root" && "$python" tools/gpu/pack.py --weights "$weights" --runs "$runs" --data "$work/clips" --python "$release" \
  --out "$work/tree/.gpu")
say packed
"$python" "$root/tools/gpu/machine_like.py" "$work/machine"
export PYTHON=$work/machine/bin/python GPU_KIT=$work/kit OUT=$work/out
unset PYTHONPATH
cd "$work/tree"
for part in $(ls .gpu); do
  "$PYTHON" tools/gpu/there.py take "$part" --held 0 --plan tools/gpu/plan-rehearsal.json
  say "part $part taken"
done
say 'taken and set up'
for _ in 1 2 3 4 5 6; do
  [ -e "$work/kit/done" ] || "$PYTHON" tools/gpu/there.py wait 60
  say "$(ls "$work/out" | tr '\n' ' ')"
done
"$PYTHON" tools/gpu/there.py end
say ended
ls -l "$work/out"
! grep -q 'exit code [^0]' "$work/kit/conductor.txt"
test -e "$work/out/run.tar.0" && test -e "$work/out/model.tar.0" && test -e "$work/out/checks.json"
say passed
