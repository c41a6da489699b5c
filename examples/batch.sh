#!/bin/sh
# Encodes a folder of videos, checks every result: batch.sh [FOLDER [OUT [encode options]]]
set -eu
folder=${1:-$(dirname "$0")}
out=${2:-demo/batch}
[ $# -gt 2 ] && shift 2 || shift $#

ncodec batch encode "$folder" --output-dir "$out/coded" "$@"
find "$out/coded" -name '*.nvc' | while read -r file; do
    ncodec verify --quick "$file"
done
echo "coded: $(du -sk "$out/coded" | cut -f1) KiB, from $(du -sk "$folder" | cut -f1) KiB"
