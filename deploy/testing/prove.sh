#!/usr/bin/env bash
# Runs the long proofs at full counts and prints a report: for each proof what it showed, with its seed and figures, and how long it took.
# DOSSIER_FUZZ is how long each decoder is fuzzed, an hour by default. The whole output is in build/prove.txt. Ends non-zero when a proof fails or is skipped.
set -uo pipefail
cd "$(dirname "$0")/../.."
mkdir -p build
export DOSSIER_PROVE=1 CI=true
export DOSSIER_BINARY=${DOSSIER_BINARY:-$PWD/bin/dossier}
[ -x "$DOSSIER_BINARY" ] || { echo "$DOSSIER_BINARY is missing: run 'make build'" >&2; exit 1; }

report=build/prove.txt
{
	echo "Proofs at full counts, $(date -u +%Y-%m-%dT%H:%M:%SZ), commit $(git rev-parse --short HEAD 2>/dev/null || echo none)"
	echo "$(nproc) cores, $(awk '/MemTotal/ {printf "%d MB", $2 / 1024}' /proc/meminfo 2>/dev/null), $(go version | cut -d ' ' -f 3)"
} | tee "$report"

failed=0
done='^(TestPermutations|TestDemoFiveWays|TestReleased|TestErased|TestKilled|TestKilledAtOnce|TestKilledRoles|TestClickHouseFails|TestArchiveFails|TestDiskFull|TestPartitions|TestNetworkCut|TestPaused|TestKafka|TestKafkaFaults|TestData|TestClientsFR|TestHostilePayloads)$'
# prove runs the tests of packages whose names match a pattern, and prints their results and the figures that they log.
prove() {
	local title=$1 pattern=$2
	shift 2
	echo
	echo "== $title"
	go test -count=1 -timeout 3h -v -run "$pattern" "$@" 2>&1 | tee build/prove.last |
		grep -E '^( *)--- (PASS|FAIL|SKIP)|_test\.go:[0-9]+: |^(ok|FAIL|panic)' | cut -c1-300
	[ "${PIPESTATUS[0]}" = 0 ] || failed=1
	if grep -qE '^ *--- SKIP' build/prove.last; then
		echo "skipped, and so not proven"
		failed=1
	fi
	if ! grep -qE '^--- PASS' build/prove.last; then
		echo "no proof has this name"
		failed=1
	fi
}

# on_kafka runs the whole end-to-end suite at the counts of `make test` with every log in a cluster of Apache Kafka.
on_kafka() {
	local begun=$SECONDS
	echo
	echo "== the end-to-end suite on Apache Kafka: $1"
	DOSSIER_PROVE= DOSSIER_E2E_KAFKA=$2 go test -count=1 -timeout 3h -v ./services/e2e 2>&1 | tee build/prove.last |
		grep -E '^( *)--- (FAIL|SKIP)|^the log is|^  Test|^(ok|FAIL|panic)|taken over' | cut -c1-300
	[ "${PIPESTATUS[0]}" = 0 ] || failed=1
	! grep -qE '^ *--- SKIP' build/prove.last || { echo "skipped, and so not proven"; failed=1; }
	echo "$(grep -c '^--- PASS' build/prove.last) tests passed, $(grep -cE '^--- (FAIL|SKIP)' build/prove.last) did not, $((SECONDS - begun)) s"
}

{
	prove "one set of events, one digest: order, duplicates, batches, restarts, partitions; the demo workspace five ways; erasures" \
		'^(TestPermutations|TestDemoFiveWays|TestReleased|TestErased)$' ./services/e2e
	prove "kill -9 of up and of its engine under load" '^(TestKilled|TestKilledAtOnce)$' ./services/e2e
	prove "100 rounds of kill -9 of the roles under load" '^TestKilledRoles$' ./services/e2e
	prove "ClickHouse away for 10 minutes, read-only, slow; the archive's storage away; full disks; networks cut; processes paused; clocks set" \
		'^(TestClickHouseFails|TestArchiveFails|TestDiskFull|TestPartitions|TestNetworkCut|TestPaused)$' ./services/e2e
	prove "real Apache Kafka: one digest, kill -9, ranges dropped, bad starts; three nodes with leaders killed, paused and ended, too few copies, no quorum" \
		'^(TestKafka|TestKafkaFaults)$' ./services/e2e
	on_kafka "one node" one
	on_kafka "three nodes, three copies of each event, two in sync" three
	prove "real input, recounted" '^(TestData|TestClientsFR)$' ./services/e2e
	prove "1,000,000 hostile payloads" '^TestHostilePayloads$' ./services/e2e
	prove "unmodified clients, bad input, and all else end to end" '.' -skip "$done" ./services/e2e
	prove "the modules, at full counts" '.' $(go work edit -json | sed -n 's/.*"DiskPath": "\(.*\)".*/\1\/.../p' | xargs -n1 go list | grep -v '/services/e2e$')
	echo
	echo "== every decoder fuzzed, ${DOSSIER_FUZZ:-1h} each"
	deploy/testing/fuzz.sh "${DOSSIER_FUZZ:-1h}" || failed=1
} > >(tee -a "$report") 2>&1
wait

{
	echo
	echo "== faults under load"
	printf '%-88s %12s %5s %6s %-9s %8s %8s\n' fault acknowledged lost twice digest 'gap (s)' 'all (s)'
	sed -nE 's/^ *[a-z_]+_test\.go:[0-9]+: (.*): ([0-9]+) events acknowledged, ([0-9-]+) lost, ([0-9]+) twice, digest (equal|NOT EQUAL), ([0-9]+) s without an acknowledgement at most, ([0-9]+) s in all$/\1|\2|\3|\4|\5|\6|\7/p' "$report" |
		awk -F '|' '{ printf "%-88s %12d %5d %6d %-9s %8d %8d\n", $1, $2, $3, $4, $5, $6, $7 }'
} | tee "$report.faults"
cat "$report.faults" >>"$report"
rm -f "$report.faults"

echo | tee -a "$report"
if [ "$failed" = 0 ]; then
	echo "all proven" | tee -a "$report"
else
	echo "NOT all proven: see above and $report" | tee -a "$report"
fi
rm -f build/prove.last
exit "$failed"
