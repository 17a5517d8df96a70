#!/usr/bin/env bash
# Fuzzes every decoder, each for as long as the first argument says (a Go duration or a number of runs such as 1000x). Prints a line for
# each; ends non-zero when one fails, and says how to run the failing input again.
set -euo pipefail
cd "$(dirname "$0")/../.."
each=${1:?how long each, for instance 10s or 1h}
out=$(mktemp)
trap 'rm -f -- "$out"' EXIT
failed=0
count=0
while read -r file; do
	for name in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file"); do
		count=$((count + 1))
		package=./$(dirname "$file")
		if go test -run '^$' -fuzz "^$name\$" -fuzztime "$each" "$package" >"$out" 2>&1; then
			echo "ok    $package $name, $each: $(grep -o 'execs: [0-9]* ([0-9]*/sec)' "$out" | tail -n 1)"
		else
			echo "FAIL  $package $name"
			cat "$out"
			failed=1
		fi
	done
done < <(git ls-files '*_test.go' | xargs grep -lE '^func Fuzz' | sort)
if [ "$count" -eq 0 ]; then
	echo "there is nothing to fuzz" >&2
	exit 1
fi
exit "$failed"
