#!/usr/bin/env bash
# rehearse.sh SHARED: the commands of docs/gpu.md on this machine's CPU with tiny sizes (plan-rehearsal.json), by a
# Python that finds only what machine.txt and the carried wheels give. Packing needs the network. PYTHON: the
# environment that packs. It prints a log with times and ends with an error if a stage did.
set -euo pipefail
shared=$(realpath "$1")
python=$(realpath -s "${PYTHON:-python3}")
root=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
plan=(--plan tools/gpu/plan-rehearsal.json)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say() { printf '%4d s  %s\n' "$SECONDS" "$*"; }

mkdir -p "$work"/tree "$work"/out "$work"/shared/data/{train,eval}
git -C "$root" ls-files -z | (cd "$root" && xargs -0 cp --parents -t "$work/tree")
ln -s "$shared/weights" "$work/shared/weights"
cp "$root/examples/flight.mp4" "$work/shared/data/train/"
(cd "$root" && "$python" -c 'import sys, tools.lab.gpu_bench as g; from pathlib import Path
g.clip(Path(sys.argv[1]), g.ROOT / "examples/flight.mp4", (96, 80), 3)' "$work/shared/data/eval/small.mkv")
release=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
(cd "$root" && "$python" -m tools.gpu.pack --shared "$work/shared" --python "$release" --out "$work/tree/.gpu")
say packed

(cd "$root" && "$python" -m tools.gpu.machine_like "$work/machine")
export GPU_KIT=$work/kit OUT=$work/out
unset PYTHONPATH
there() { "$work/machine/bin/python" -m tools.gpu.there "$@"; }
cd "$work/tree"
for part in $(ls .gpu); do
  there take "$part" --left 1800 "${plan[@]}"
  say "part $part taken"
done
for _ in 1 2 3 4 5 6; do
  [ -e "$work/kit/done" ] || there wait 60
  say "$(ls "$work/out" | tr '\n' ' ')"
done
there end
say ended
cat "$work/out/logs.txt"
ls -l "$work/out"
! grep -q 'exit code [^0]\|not done' "$work/kit/conductor.txt"
for name in run.tar.0 model.tar.0 checks.json; do test -s "$work/out/$name"; done
tar -xOf "$work/out/model.tar.0" model/MODEL_CARD.md | grep -q 'lent GPU'
say passed
