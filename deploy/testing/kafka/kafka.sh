#!/usr/bin/env bash
# Real Apache Kafka (KRaft, no ZooKeeper) on loopback, for tests and for trying things out. Needs Java 17 and Maven; Maven the first time only.
#
#   kafka.sh fetch              fetch the jars into the cache folder and print where they are
#   kafka.sh format 1|3 DIR     lay out the nodes in DIR: free ports, certificates, users; once
#   kafka.sh run N DIR          run node N in the foreground
#   kafka.sh start 1|3 DIR      format if new, start every node in the background, print the plaintext brokers when all of them serve
#   kafka.sh restart N DIR      start node N again, on the same port and folder
#   kafka.sh kill N DIR         kill -9 node N       (terminate: SIGTERM; pause, resume: SIGSTOP, SIGCONT)
#   kafka.sh stop DIR           SIGTERM to every node, SIGKILL after 20 s to what is left
#   kafka.sh status DIR         a line for each node
#
# DIR/brokers.plaintext, .ssl, .sasl_ssl and .sasl_plaintext hold the addresses by listener. DIR/tls has ca.pem with its key, and client.pem with
# its key. The user of SASL is dossier with the password dossier-secret, by SCRAM-SHA-512, SCRAM-SHA-256 and PLAIN. A client of the ssl listener
# needs a certificate of that authority.
#
# Environment: HEAP (of a node, 512m), JVM_EXTRA (more of its flags), SESSION_MS (how long a dead node counts as alive, 3000; Kafka's default is 9000), EXTRA (a file of settings
# that is appended to every node's), DOSSIER_CACHE (the cache folder).
set -euo pipefail

version=4.3.1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
heap=${HEAP:-512m}
session=${SESSION_MS:-3000}
password=dossier-secret

say() { printf 'kafka: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
usage() { sed -n '2,/^[^#]/ s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }

# --- fetching

libraries() {
	local cache=${DOSSIER_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set: set DOSSIER_CACHE to a folder for the jars}/.cache}/dossier}
	printf '%s/kafka/%s' "$cache" "$version"
}

fetch() {
	local folder work
	folder=$(libraries)
	[ ! -f "$folder/complete" ] || { prepare "$folder"; printf '%s\n' "$folder"; return; }
	command -v java >/dev/null || fail "java is missing: install Java 17, such as openjdk-17-jre-headless"
	command -v mvn >/dev/null || fail "mvn is missing: install Maven"
	mkdir -p "$folder" || fail "cannot write to $folder: set DOSSIER_CACHE to a folder that you may write"
	work=$(mktemp -d "$folder/fetch.XXXXXX")
	say "fetching Apache Kafka $version (44 MB, once)"
	if ! mvn -B -q -C -Dstyle.color=never -f "$here/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
		-DincludeScope=runtime -DoutputDirectory="$work" >"$work/maven.log" 2>&1; then
		tail -n 3 "$work/maven.log" >&2
		rm -rf -- "$work"
		fail "Maven could not fetch Kafka $version: check the network and Maven's settings, then run it again"
	fi
	rm -f -- "$work/maven.log"
	mv -f -- "$work"/*.jar "$folder/"
	rmdir -- "$work"
	touch "$folder/complete"
	prepare "$folder"
	printf '%s\n' "$folder"
}

# prepare keeps the classes that a node loads as this Java wants them in memory: a node then starts with half the CPU. It is made again when
# Java is another one; without it, or with that of another Java, nodes start all the same.
prepare() {
	local folder=$1 made pid
	[ ! -f "$folder/classes.jsa" ] || [ "$(readlink -f "$(command -v java)")" -nt "$folder/classes.jsa" ] || return 0
	made=$(mktemp -d "$folder/prepare.XXXXXX")
	(
		dir=$made/node
		layout 1
		JVM_EXTRA="-XX:ArchiveClassesAtExit=$made/classes.jsa" run 1 >"$dir/node1/log" 2>&1 </dev/null &
		pid=$!
		trap 'kill -TERM "$pid" 2>/dev/null && wait "$pid" || true' EXIT # then it writes
		printf '%s' "$pid" >"$dir/node1/pid"
		await 1
	) >&2 || true
	if [ -s "$made/classes.jsa" ]; then
		mv -f -- "$made/classes.jsa" "$folder/classes.jsa"
	else
		say "nodes start without prepared classes"
	fi
	rm -rf -- "$made"
}

# prepared prints the flag of Java that has it use what is prepared.
prepared() {
	local classes
	classes=$(libraries)/classes.jsa
	[ ! -f "$classes" ] || printf -- '-XX:SharedArchiveFile=%s' "$classes"
}

# --- laying out

# free_port prints a port below the range that outgoing connections take theirs from, that nothing listens on and that no other node of ours has.
free_port() {
	local port
	for _ in $(seq 200); do
		port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
		if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && ! grep -qsw -- "$port" "$dir"/*/ports; then
			printf '%s' "$port"
			return
		fi
	done
	fail "no free port between 20000 and 32000"
}

certificates() {
	local tls=$dir/tls name
	[ ! -f "$tls/done" ] || return 0
	command -v openssl >/dev/null || fail "openssl is missing: install it"
	mkdir -p "$tls"
	{
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj "/CN=dossier test authority" \
			-keyout "$tls/ca.key" -out "$tls/ca.pem"
		for name in server client; do
			openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$name" -keyout "$tls/$name.key" -out "$tls/$name.csr"
			printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\n' >"$tls/$name.ext"
			openssl x509 -req -in "$tls/$name.csr" -CA "$tls/ca.pem" -CAkey "$tls/ca.key" -CAcreateserial -days 3650 \
				-extfile "$tls/$name.ext" -out "$tls/$name.pem"
		done
		cat "$tls/server.key" "$tls/server.pem" >"$tls/server.store"
	} >"$tls/log" 2>&1 || { cat "$tls/log" >&2; fail "the certificates could not be made"; }
	touch "$tls/done"
}

listeners="PLAINTEXT SSL SASL_SSL SASL_PLAINTEXT"

# layout writes the settings of every node.
layout() {
	local count=$1 n voters='' replicas insync node ports listener port
	[ "$count" = 1 ] || [ "$count" = 3 ] || usage
	mkdir -p "$dir"
	[ ! -f "$dir/laid-out" ] || return 0
	certificates
	for n in $(seq "$count"); do
		mkdir -p "$dir/node$n"
		: >"$dir/node$n/ports"
		for listener in CONTROLLER $listeners; do
			port=$(free_port)
			printf '%s %s\n' "$listener" "$port" >>"$dir/node$n/ports"
		done
		voters+="${voters:+,}$n@127.0.0.1:$(port_of "$n" CONTROLLER)"
	done
	replicas=$count insync=$((count > 1 ? 2 : 1))
	for n in $(seq "$count"); do
		node=$dir/node$n ports='' # listeners of brokers
		for listener in $listeners; do ports+="${ports:+,}$listener://127.0.0.1:$(port_of "$n" "$listener")"; done
		cat >"$node/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=$n
controller.quorum.voters=$voters
listeners=$ports,CONTROLLER://127.0.0.1:$(port_of "$n" CONTROLLER)
advertised.listeners=$ports
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL,SASL_PLAINTEXT:SASL_PLAINTEXT
log.dirs=$node/data

ssl.keystore.type=PEM
ssl.keystore.location=$dir/tls/server.store
ssl.truststore.type=PEM
ssl.truststore.location=$dir/tls/ca.pem
listener.name.ssl.ssl.client.auth=required
sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256,PLAIN
$(for listener in sasl_ssl sasl_plaintext; do
			for size in 256 512; do
				printf 'listener.name.%s.scram-sha-%s.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;\n' $listener $size
			done
			printf 'listener.name.%s.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_dossier="%s";\n' $listener $password
		done)

auto.create.topics.enable=false
default.replication.factor=$replicas
min.insync.replicas=$insync
offsets.topic.num.partitions=4
offsets.topic.replication.factor=$replicas
transaction.state.log.num.partitions=2
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$insync
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=$replicas
share.coordinator.state.topic.min.isr=$insync
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=$session
broker.heartbeat.interval.ms=$((session / 6 < 500 ? session / 6 : 500))
log.cleaner.dedupe.buffer.size=16777216
log.retention.check.interval.ms=1000
file.delete.delay.ms=1000
num.network.threads=2
num.io.threads=4
PROPERTIES
		[ -z "${EXTRA:-}" ] || cat "$EXTRA" >>"$node/server.properties"
	done
	cat >"$dir/log4j2.properties" <<'PROPERTIES'
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=${sys:level:-INFO}
rootLogger.appenderRef.console.ref=console
PROPERTIES
	local cluster
	cluster=$(openssl rand -base64 16 | tr '+/' '-_' | tr -d '=')
	local pids=()
	for n in $(seq "$count"); do
		# shellcheck disable=SC2046 # a word or none
		java -cp "$(libraries)/*" -Xshare:auto $(prepared) -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile="$dir/log4j2.properties" -Dlevel=WARN \
			kafka.tools.StorageTool format -t "$cluster" -c "$dir/node$n/server.properties" \
			--add-scram "SCRAM-SHA-512=[name=dossier,password=$password]" --add-scram "SCRAM-SHA-256=[name=dossier,password=$password]" \
			>"$dir/node$n/format.log" 2>&1 &
		pids[n]=$!
	done
	for n in $(seq "$count"); do
		wait "${pids[$n]}" || { cat "$dir/node$n/format.log" >&2; fail "node $n could not be formatted"; }
	done
	for listener in $listeners; do
		for n in $(seq "$count"); do printf '127.0.0.1:%s\n' "$(port_of "$n" "$listener")"; done | paste -sd, >"$dir/brokers.${listener,,}"
	done
	touch "$dir/laid-out"
}

port_of() { awk -v l="$2" '$1 == l {print $2}' "$dir/node$1/ports"; }

# --- running

run() {
	# shellcheck disable=SC2086,SC2046 # JVM_EXTRA is a list of words, prepared a word or none
	exec java -Xms128m "-Xmx$heap" -XX:+UseSerialGC -Xshare:auto $(prepared) -Djava.awt.headless=true ${JVM_EXTRA:-} \
		-cp "$(libraries)/*" -Dlog4j2.configurationFile="$dir/log4j2.properties" kafka.Kafka "$dir/node$1/server.properties"
}

# running prints the pid of node N if it runs, and is ours: a pid may have been given to another process since.
running() {
	local pid
	pid=$(cat "$dir/node$1/pid" 2>/dev/null) || return 1
	tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF "$dir/node$1/server.properties" || return 1
	printf '%s' "$pid"
}

launch() {
	local node=$dir/node$1
	[ -d "$node" ] || fail "there is no node $1 in $dir"
	! running "$1" >/dev/null || fail "node $1 runs already"
	[ ! -f "$node/log" ] || mv -f "$node/log" "$node/log.before"
	(run "$1") >"$node/log" 2>&1 </dev/null &
	printf '%s' $! >"$node/pid"
	disown
}

await() {
	local node=$dir/node$1
	for _ in $(seq 1200); do
		grep -qs 'Kafka Server started' "$node/log" && return
		kill -0 "$(cat "$node/pid")" 2>/dev/null || { grep -E 'ERROR|Exception' "$node/log" | head -3 >&2 || true; fail "node $1 ended: see $node/log"; }
		sleep 0.1
	done
	fail "node $1 does not serve after 120 s: see $node/log"
}

send() {
	local pid
	pid=$(running "$2") || fail "node $2 does not run"
	kill "-$1" "$pid"
}

nodes() { for node in "$dir"/node[0-9]*; do [ ! -d "$node" ] || printf '%s\n' "${node##*/node}"; done; }

[ $# -ge 1 ] || usage
verb=$1
shift
[ "$verb" = fetch ] || { [ $# -ge 1 ] || usage; mkdir -p "${*: -1}"; dir=$(cd "${*: -1}" && pwd); }
case "$verb" in
fetch) fetch ;;
format) [ $# = 2 ] || usage; fetch >/dev/null; layout "$1" ;;
run) [ $# = 2 ] || usage; run "$1" ;;
start)
	[ $# = 2 ] || usage
	fetch >/dev/null
	layout "$1"
	for n in $(nodes); do launch "$n"; done
	for n in $(nodes); do await "$n"; done
	cat "$dir/brokers.plaintext"
	;;
restart) [ $# = 2 ] || usage; launch "$1"; await "$1" ;;
kill) [ $# = 2 ] || usage; send KILL "$1" ;;
terminate) [ $# = 2 ] || usage; send TERM "$1" ;;
pause) [ $# = 2 ] || usage; send STOP "$1" ;;
resume) [ $# = 2 ] || usage; send CONT "$1" ;;
stop)
	[ $# = 1 ] || usage
	for n in $(nodes); do ! running "$n" >/dev/null || { send CONT "$n"; send TERM "$n"; }; done
	for _ in $(seq 200); do
		left=
		for n in $(nodes); do ! running "$n" >/dev/null || left=1; done
		[ -n "$left" ] || exit 0
		sleep 0.1
	done
	for n in $(nodes); do ! running "$n" >/dev/null || { say "node $n does not stop: killing it"; send KILL "$n"; }; done
	;;
status)
	[ $# = 1 ] || usage
	for n in $(nodes); do
		if pid=$(running "$n"); then
			printf 'node %s runs, pid %s, 127.0.0.1:%s, %s MiB\n' "$n" "$pid" "$(port_of "$n" PLAINTEXT)" "$(awk '/VmRSS/ {print int($2 / 1024)}' "/proc/$pid/status")"
		else
			printf 'node %s is down\n' "$n"
		fi
	done
	;;
*) usage ;;
esac
