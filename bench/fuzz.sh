#!/bin/sh
# Fuzzes every reader of foreign bytes, and prints for each the executions, the findings, and how much of the reader's code was reached by the
# inputs that the fuzzer has kept (those are in Go's cache, so that a further run goes on from them). Found inputs lie in the package's
# testdata/fuzz and fail "go test" from then on.
#
#     bench/fuzz.sh MINUTES [TARGET...]        minutes for all targets together; names of targets, all by default
#     WORKERS=1 NICE=15 bench/fuzz.sh 60
set -u
cd "$(dirname "$0")/.."
minutes=${1:?usage: bench/fuzz.sh MINUTES [TARGET...]}
shift
workers=${WORKERS:-1}
nice=${NICE:-15}

# Package, target, and the files of the reader, whose coverage is printed.
targets='
audio FuzzWAVForm wavreader.go,wav.go,pcm.go,coding.go
audio FuzzWAVLengths wavreader.go,wav.go
audio FuzzDecodeWAV wavreader.go,wav.go,coding.go
audio FuzzFLACForm flac.go
audio FuzzDecodeFLAC flac.go
audio FuzzMP3Form mp3.go,mp3frames.go
audio FuzzDecodeMP3 mp3.go,mp3frames.go
audio FuzzOggForm ogg.go,vorbis.go
audio FuzzDecodeOgg ogg.go,vorbis.go
audio FuzzPieces channels.go,sides.go,pieces.go
audio FuzzDecode audio.go
audio FuzzDecodeRaw pcm.go
audio FuzzReadTags tagsread.go
. FuzzVoiceFile voicefile.go,consent.go
. FuzzReadSource source.go
gan FuzzRead model.go
vocoder FuzzReadNet neuralfile.go,netconfig.go
internal/judge FuzzRead file.go
internal/phones FuzzRead file.go,phones.go
internal/safetensors FuzzRead read.go
internal/run FuzzMetrics metrics.go
internal/run FuzzRequest request.go
internal/run FuzzSnapshots snapshots.go
internal/corpus FuzzAligned aligned.go
internal/corpus FuzzScan scan.go
internal/corpus FuzzReadPhoneLabels phonelabels.go
internal/corpus FuzzReadShard shard.go
internal/phones/train FuzzTeacher teacher.go
internal/wheel FuzzIndex index.go
internal/wheel FuzzUnpack unpack.go
gan/train FuzzConfig config.go
vocoder/train FuzzConfig config.go
cmd/vc FuzzControl control.go
cmd/vc FuzzWAVHeader pipe.go
'
wanted() {
	[ -z "$names" ] && return 0
	for n in $names; do [ "$n" = "$1" ] && return 0; done
	return 1
}
names=$*
count=$(echo "$targets" | while read -r package target files; do [ -n "$package" ] && wanted "$target" && echo x; done | wc -l)
[ "$count" -gt 0 ] || { echo "fuzz.sh: no target of such a name" >&2; exit 2; }
seconds=$((minutes * 60 / count))
work=$(mktemp -d)
kept=""
trap 'rm -rf "$work" $kept' EXIT
trap 'exit 130' INT TERM
cache=$(go env GOCACHE)/fuzz/github.com/starvc/vc
printf '%-22s %-20s %12s %9s %7s  %s\n' package target executions findings covered 'of the reader'
found=0
echo "$targets" > "$work/targets"
while read -r package target files; do
	[ -n "$package" ] && wanted "$target" || continue
	log=$work/log
	before=$(ls "$package/testdata/fuzz/$target" 2>/dev/null | wc -l)
	nice -n "$nice" go test -run '^$' -fuzz "^$target\$" -fuzztime "${seconds}s" -parallel "$workers" "./$package" > "$log" 2>&1 < /dev/null
	rc=$?
	after=$(ls "$package/testdata/fuzz/$target" 2>/dev/null | wc -l)
	executions=$(sed -n 's/.*execs: \([0-9]*\).*/\1/p' "$log" | tail -1)
	# The kept inputs are seeds while coverage is measured.
	seeds=$package/testdata/fuzz/$target
	new=""
	mkdir -p "$seeds"
	for f in "$cache/$package/$target"/* "$cache/$target"/*; do
		[ -f "$f" ] && [ ! -e "$seeds/$(basename "$f")" ] && cp "$f" "$seeds/" && new="$new $seeds/$(basename "$f")"
	done
	kept=$new
	nice -n "$nice" go test -run "^$target\$" -coverprofile "$work/cover" "./$package" > "$work/coverlog" 2>&1 < /dev/null || [ $rc -ne 0 ] || rc=1
	for f in $new; do rm -f "$f"; done
	kept=""
	rmdir -p "$seeds" 2>/dev/null
	covered=$(awk -v files="$files" 'BEGIN { split(files, a, ","); for (i in a) want[a[i]] = 1 }
		{ split($1, p, ":"); n = split(p[1], q, "/"); if (q[n] in want) { all += $2; if ($3 > 0) hit += $2 } }
		END { if (all) printf "%.0f %%", 100 * hit / all; else print "-" }' "$work/cover" 2>/dev/null)
	printf '%-22s %-20s %12s %9s %7s  %s\n' "$package" "$target" "${executions:-0}" "$((after - before))" "${covered:--}" "$files"
	if [ $rc -ne 0 ]; then
		found=1
		sed 's/^/    /' "$log" | tail -15
	fi
done < "$work/targets"
exit $found
