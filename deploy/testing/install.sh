#!/bin/sh
# Installs what the tests need beside Go: Chromium from the system's packages, an S3 server, and the npm packages of every testdata
# folder under services/. Quick when nothing changed: a stamp in node_modules holds the digest of the lock file that was installed.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
say() { printf '%s\n' "test tools: $*" >&2; }
fail() { say "$*"; exit 1; }

command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 ||
	fail "node or npm is missing: install Node.js 20 or newer with npm"

# system_packages installs packages of the system: what is missing, then their names.
system_packages() {
	missing=$1
	shift
	command -v apt-get >/dev/null 2>&1 ||
		fail "$missing is missing: install it from your system's packages, so that '$missing' is on PATH"
	if [ "$(id -u)" = 0 ]; then
		sudo=
	elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
		sudo='sudo -n'
	else
		fail "$missing is missing: run 'sudo apt-get install $*'"
	fi
	say "installing $*"
	log=$(mktemp)
	# shellcheck disable=SC2086 # $sudo is empty or two words
	if ! { $sudo apt-get update && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y --no-install-recommends "$@"; } >"$log" 2>&1; then
		tail -n 5 "$log" >&2
		rm -f -- "$log"
		fail "$* could not be installed: install it from your system's packages, so that '$missing' is on PATH"
	fi
	rm -f -- "$log"
}

command -v chromium >/dev/null 2>&1 || system_packages chromium chromium
command -v java >/dev/null 2>&1 || system_packages java openjdk-17-jre-headless
command -v mvn >/dev/null 2>&1 || system_packages mvn maven
command -v openssl >/dev/null 2>&1 || system_packages openssl openssl
command -v kcat >/dev/null 2>&1 || system_packages kcat kcat
# Python's virtual environments are a package of their own on some systems.
python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || system_packages python3 python3 python3-venv
"$root/deploy/testing/kafka/kafka.sh" fetch >/dev/null
"$root/deploy/testing/s3/gateway.sh" >/dev/null
"$root/deploy/testing/tools.sh" >/dev/null

find "$root/services" -name node_modules -prune -o -path '*/testdata/*' -name package.json -print | sort | while read -r manifest; do
	folder=$(dirname -- "$manifest")
	lock=$folder/package-lock.json
	stamp=$folder/node_modules/.installed
	[ -f "$lock" ] || fail "${lock#"$root/"} is missing: run 'npm install' there and commit it"
	want=$(sha256sum <"$lock")
	if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ]; then
		continue
	fi
	say "installing the packages of ${folder#"$root/"}"
	(cd "$folder" && npm ci --no-fund --no-audit --loglevel=error >&2) ||
		fail "npm could not install the packages of ${folder#"$root/"}: check the network and npm's registry setting, then run it again"
	printf '%s' "$want" >"$stamp"
done

# The packages of the example in Python, in an environment of its own.
python=$root/deploy/clients/python
want=$(sha256sum <"$python/requirements.txt")
if ! [ -f "$python/.venv/.installed" ] || [ "$(cat "$python/.venv/.installed")" != "$want" ]; then
	say "installing the packages of deploy/clients/python"
	{ python3 -m venv "$python/.venv" && "$python/.venv/bin/pip" install --quiet --disable-pip-version-check -r "$python/requirements.txt" >&2; } ||
		fail "pip could not install the packages of deploy/clients/python: check the network and pip's index setting, then run it again"
	printf '%s' "$want" >"$python/.venv/.installed"
fi
