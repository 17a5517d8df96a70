#!/usr/bin/env bash
# Measures what a record costs to resolve, by the number of people: generates customers, resolves them offline, and prints processor time a record and
# how much it grew. Usage: deploy/testing/scale.sh [PEOPLE …]; 100,000 and 2,000,000 by default, which takes long.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -x bin/dossier ] || { echo "build first: make build" >&2; exit 1; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
[ $# -gt 0 ] || set -- 100000 2000000
TIMEFORMAT='%U %S'
first=
for people in "$@"; do
  bin/dossier generate --people "$people" --seed 11 --out "$dir/people.csv" 2>/dev/null
  { time bin/dossier resolve "$dir/people.csv" --map deploy/mappings/clients_fr.yaml --out "$dir/profiles.csv" 2>"$dir/said"; } 2>"$dir/time"
  records=$(($(wc -l <"$dir/profiles.csv") - 1))
  cost=$(awk -v n="$records" '{ printf "%.1f", ($1 + $2) * 1e6 / n }' "$dir/time")
  first=${first:-$cost}
  echo "$people people, $records records: $cost µs CPU a record, $(awk -v a="$cost" -v b="$first" 'BEGIN { printf "%.2f", a / b }') times the first; $(tail -1 "$dir/said")"
done
