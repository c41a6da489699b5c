#!/bin/sh
# Makes a video fit into a size and says what came of it: fit.sh [IN [SIZE [OUT [encode options]]]]
set -eu
in=${1:-$(dirname "$0")/flight.mp4}
size=${2:-60k}
out=${3:-demo/fit.nvc}
[ $# -gt 3 ] && shift 3 || shift $#

mkdir -p "$(dirname "$out")"
ncodec encode -f "$in" "$out" --target-size "$size" "$@"
ncodec info "$out"
