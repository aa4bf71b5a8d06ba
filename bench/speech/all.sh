#!/bin/sh
# all.sh DATA OUT [CORPUS [KATHLEEN [LJ]]]: everything, in order: people's recordings if they are given, free text, pairs, twins, the
# manifest, the check. DATA is what setup.sh made, CORPUS the voice changer's corpus, KATHLEEN and LJ what people.py takes ("" for none).
# Workers run on the cores of $CORES (such as 0,1), by default two. Stopped at any time and run again, it goes on.
set -eu
data=${1:?usage: all.sh DATA OUT [CORPUS [KATHLEEN [LJ]]]}
out=${2:?usage: all.sh DATA OUT [CORPUS [KATHLEEN [LJ]]]}
corpus=${3:-} kathleen=${4:-} lj=${5:-}
here=$(cd "$(dirname "$0")" && pwd)
python="$data/venv/bin/python"
set -- --data "$data" --out "$out" ${corpus:+--corpus "$corpus"}
[ -z "$kathleen$lj" ] || "$python" "$here/people.py" "$@" ${kathleen:+--kathleen "$kathleen"} ${lj:+--lj "$lj"}
"$python" "$here/make.py" "$@" --cores "${CORES:-0,1}"
"$python" "$here/manifest.py" "$out"
"$python" "$here/check.py" "$out" ${corpus:+--corpus "$corpus"}
