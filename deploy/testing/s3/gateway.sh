#!/bin/sh
# Builds versitygw, an S3 server over a folder (Apache-2.0), at a pinned version into the cache folder, for the tests of the archive.
# Prints the binary's path; a second run finds it and does nothing. Needs Go.
set -eu

version=v1.8.0

say() { printf '%s\n' "s3: $*" >&2; }
fail() { say "$*"; exit 1; }

cache=${DOSSIER_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set: set DOSSIER_CACHE to a folder for test tools}/.cache}/dossier}
folder=$cache/versitygw/$version
binary=$folder/versitygw

if [ ! -x "$binary" ]; then
	mkdir -p -- "$folder" 2>/dev/null || fail "cannot write to $folder: set DOSSIER_CACHE to a folder that you may write"
	work=$(mktemp -d "$folder/build.XXXXXX")
	trap 'rm -rf -- "$work"' EXIT
	say "building versitygw $version (once)"
	(cd "$work" && GOWORK=off GOFLAGS=-buildvcs=false GOBIN="$work" go install "github.com/versity/versitygw/cmd/versitygw@$version" >log 2>&1) ||
		{ tail -n 5 "$work/log" >&2; fail "versitygw $version could not be built: check the network and Go's proxy setting, then run it again"; }
	mv -f -- "$work/versitygw" "$binary"
fi
printf '%s\n' "$binary"
