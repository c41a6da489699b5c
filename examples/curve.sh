#!/bin/sh
# Measures rate against quality, with x264 beside it, and plots the curves: curve.sh [CLIP [OUT [bench options]]]
# Needs the extra [bench]. Metrics without weights of their own are taken.
set -eu
clip=${1:-$(dirname "$0")/flight.mp4}
out=${2:-demo/curve}
[ $# -gt 2 ] && shift 2 || shift $#

ncodec bench "$clip" --out "$out" --peers x264 --metrics psnr,ms-ssim --frames 24 "$@"
ls "$out"
