#!/bin/sh
# Fetches the embedded ClickHouse engine (libchdb.so, Apache-2.0) through npm, pinned and checked, into a cache folder.
# Prints the library's path on stdout; progress and errors go to stderr. A second run finds the library and does nothing.
#
# The version and the digest beside this script name one exact build: the C ABI changes with the library, so both change
# together with services/internal/embedded/chdb (a test there compares them).
set -eu

package=@chdb/lib-linux-x64-gnu
version=26.7.3-stable.1

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
say() { printf '%s\n' "engine: $*" >&2; }
fail() { say "$*"; exit 1; }

cache=${DOSSIER_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set: set DOSSIER_CACHE to a folder for the engine library}/.cache}/dossier}
folder=$cache/libchdb/$version
library=$folder/libchdb.so

platform=$(uname -s)/$(uname -m)
[ "$platform" = Linux/x86_64 ] ||
	fail "no engine library for $platform: install a 'clickhouse' binary on PATH, or give --clickhouse URL"

want=$(cut -d ' ' -f 1 "$here/libchdb.sha256")
digest() { sha256sum -- "$1" | cut -d ' ' -f 1; }

# The stamp spares hashing 566 MB at every run: it holds the digest that was checked and the library's size and time.
stamp=$folder/checked
seen() { printf '%s %s\n' "$want" "$(stat -c '%s %Y' -- "$library")"; }
keep() { seen >"$stamp.$$" && mv -f -- "$stamp.$$" "$stamp"; }

if [ -f "$library" ]; then
	if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(seen)" ]; then
		printf '%s\n' "$library"
		exit 0
	fi
	say "checking $library"
	if [ "$(digest "$library")" = "$want" ]; then
		keep
		printf '%s\n' "$library"
		exit 0
	fi
	say "the cached library is damaged: fetching it again"
fi

command -v npm >/dev/null 2>&1 ||
	fail "npm is missing: install Node.js with npm, or give --clickhouse URL"
command -v tar >/dev/null 2>&1 || fail "tar is missing: install it"

mkdir -p -- "$folder" 2>/dev/null || fail "cannot write to $folder: set DOSSIER_CACHE to a folder that you may write"
work=$(mktemp -d "$folder/fetch.XXXXXX") || fail "cannot write to $folder: set DOSSIER_CACHE to a folder that you may write"
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# npm pack is silent while it downloads, so the growth of its cache and of the folder is shown instead.
say "fetching $package@$version (178 MB, once)"
(cd "$work" && npm_config_cache="$work/npm" npm pack --silent "$package@$version" >packed 2>npm-errors) &
pack=$!
if [ -t 2 ]; then
	while kill -0 "$pack" 2>/dev/null; do
		printf '\rengine: %s of 178 MB' "$(du -sm -- "$work" 2>/dev/null | cut -f 1)" >&2
		sleep 1
	done
	printf '\r' >&2
fi
if ! wait "$pack"; then
	sed 's/^/engine: /' "$work/npm-errors" >&2
	fail "npm could not fetch $package@$version: check the network and npm's registry setting, then run it again"
fi

say "unpacking and checking"
tar -xzf "$work/$(tail -n 1 "$work/packed")" -C "$work" package/libchdb.so ||
	fail "the package of $package@$version does not unpack: run it again"
got=$(digest "$work/package/libchdb.so")
[ "$got" = "$want" ] || fail "the fetched library has SHA-256 $got, expected $want: nothing was installed"
chmod 0755 "$work/package/libchdb.so"
mv -f -- "$work/package/libchdb.so" "$library"
keep
say "ready: $library"
printf '%s\n' "$library"
