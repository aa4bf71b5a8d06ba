#!/usr/bin/env bash
# Builds the packages of one system from two clones of the commit at hand, in folders of different names, and compares them.
#
#   packaging/reproduce.sh [SYSTEM/PROCESSOR]      by default linux/amd64
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
target=${1:-linux/amd64}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for clone in "$work/a" "$work/another-place/b"; do
	git clone -q --no-local "$root" "$clone"
	(cd "$clone" && bash packaging/build.sh "$clone-out" "$target" >/dev/null)
	sleep 1 # so that the time of day would be seen
done
if ! diff "$work/a-out/SHA256SUMS" "$work/another-place/b-out/SHA256SUMS"; then
	echo "reproduce: two clones gave different packages" >&2
	exit 1
fi
cat "$work/a-out/SHA256SUMS"
