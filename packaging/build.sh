#!/usr/bin/env bash
# Builds what people install without Go: one static program per system as an archive, a Debian package for amd64 and arm64, and
# their checksums, into a folder.
#
#   packaging/build.sh [FOLDER [SYSTEM/PROCESSOR...]]      by default into dist, for all systems
#
# Two clones of one commit give the same bytes with one version of Go: nothing of the clone's path, of the time of day or of the
# user gets in. Needs git, tar, gzip and zip, and dpkg-deb for the Debian packages. The commit must be clean.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
out=$(mkdir -p "${1:-dist}" && cd "${1:-dist}" && pwd)
shift || true
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
	targets=(linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64)
fi
cd "$root"

for tool in go git tar gzip zip; do
	if ! command -v "$tool" >/dev/null; then
		echo "build: $tool is missing: install it" >&2
		exit 1
	fi
done
if [ -n "$(git status --porcelain)" ]; then
	echo "build: there are changes that are not committed, and a package of them could not be built again: commit them first" >&2
	exit 1
fi

# The time of the commit stands for the time in all archives.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH TZ=UTC LC_ALL=C
# The version comes from the tag alone if there is one on this commit. Else from date and commit, with as many of its digits whatever
# else is in the clone.
version=$(git describe --tags --exact-match --match 'v*' 2>/dev/null ||
	echo "v0.0.0-$(git log -1 --date=format-local:%Y%m%d%H%M%S --format=%cd)-$(git rev-parse HEAD | cut -c1-12)")
umask 022
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The manual pages are made by the program itself, as it runs here.
CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-X main.version=$version" -o "$work/vc-here" ./cmd/vc
mkdir -p "$work/man"
"$work/vc-here" help --man >"$work/man/vc.1"
for shell in bash zsh fish; do
	"$work/vc-here" completion "$shell" >"$work/completion.$shell"
done

# The licences of what is built in ask for their text to go along.
go run ./packaging/notices >"$work/NOTICES"

# All files of a folder get the time of the commit, so that archives do not differ.
same_time() { find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +; }

# debian PROGRAM PROCESSOR
debian() {
	local d=$work/deb-$2 debversion=${version#v}
	mkdir -p "$d/DEBIAN" "$d/usr/bin" "$d/usr/share/man/man1" "$d/usr/share/doc/vc" "$d/usr/share/bash-completion/completions" \
		"$d/usr/share/zsh/vendor-completions" "$d/usr/share/fish/vendor_completions.d"
	install -m 755 "$1" "$d/usr/bin/vc"
	install -m 644 "$work"/man/*.1 "$d/usr/share/man/man1/"
	gzip -9n "$d"/usr/share/man/man1/*.1
	cat LICENSE "$work/NOTICES" >"$d/usr/share/doc/vc/copyright"
	install -m 644 README.md "$d/usr/share/doc/vc/README.md"
	install -m 644 "$work/completion.bash" "$d/usr/share/bash-completion/completions/vc"
	install -m 644 "$work/completion.zsh" "$d/usr/share/zsh/vendor-completions/_vc"
	install -m 644 "$work/completion.fish" "$d/usr/share/fish/vendor_completions.d/vc.fish"
	cat >"$d/DEBIAN/control" <<-END
		Package: vc
		Version: ${debversion//-/\~}
		Architecture: $2
		Maintainer: the vc authors <vc@localhost>
		Section: sound
		Priority: optional
		Installed-Size: $(du -sk --apparent-size "$d/usr" | cut -f1)
		Recommends: ffmpeg
		Suggests: pipewire-pulse | pulseaudio
		Description: change the voice in recordings and live speech
		 A voice changer in one program: it turns any speech into any of the voices
		 that come with it, in files, live between a microphone and a call, and for
		 other programs over HTTP, and learns new voices from recordings.
	END
	same_time "$d"
	dpkg-deb --root-owner-group -Zgzip --build "$d" "$out/vc_${debversion}_$2.deb" >/dev/null
	echo "vc_${debversion}_$2.deb"
}

for target in "${targets[@]}"; do
	os=${target%/*} arch=${target#*/}
	name=vc-$version-$os-$arch
	program=vc
	if [ "$os" = windows ]; then
		program=vc.exe
	fi
	mkdir -p "$work/$name"
	CGO_ENABLED=0 GOOS=$os GOARCH=$arch go build -trimpath -buildvcs=true -ldflags "-s -w -X main.version=$version" -o "$work/$name/$program" ./cmd/vc
	cp README.md LICENSE CHANGELOG.md "$work/NOTICES" "$work/$name/"
	if [ "$os" != windows ]; then
		mkdir "$work/$name/man"
		cp "$work"/man/*.1 "$work/$name/man/"
	fi
	same_time "$work/$name"
	if [ "$os" = windows ]; then
		rm -f "$out/$name.zip"
		(cd "$work" && find "$name" | sort | zip -qX -@ "$out/$name.zip")
		echo "$name.zip"
	else
		tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -C "$work" -cf - "$name" | gzip -9n >"$out/$name.tar.gz"
		echo "$name.tar.gz"
	fi
	if [ "$os" = linux ]; then
		if command -v dpkg-deb >/dev/null; then
			debian "$work/$name/$program" "$arch"
		else
			echo "build: no Debian package for $arch, since dpkg-deb is missing" >&2
		fi
	fi
done
(cd "$out" && sha256sum -- *.tar.gz *.zip *.deb 2>/dev/null >SHA256SUMS || true)
