#!/bin/sh
# Checks what deploy/ holds with its own linters: the image, the compose file, the chart (linted, rendered and held to Kubernetes'
# schemas), the alerts with their cases, and the scripts. Nothing of it can be run where there is no container engine.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
cd -- "$root/deploy"
say() { printf '%s\n' "deploy: $*" >&2; }
fail() { say "$*"; exit 1; }

tools=$("$root/deploy/testing/tools.sh")
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT

for script in */*.sh */*/*.sh; do
	[ -f "$script" ] || continue
	bash -n "$script" || fail "$script does not parse"
done

"$tools/hadolint" docker/Dockerfile || fail "docker/Dockerfile: see above"

# What the image is built from must be enough: the context is what Dockerfile.dockerignore leaves.
mkdir "$work/context"
(cd "$root" && tar -cf - --exclude=node_modules --exclude=testdata --exclude='*_test.go' go.work go.work.sum schema pipelines graphql services) | tar -xf - -C "$work/context"
(cd "$work/context" && go build -o /dev/null ./services/cmd/dossier) || fail "docker/Dockerfile: the binary cannot be built from what docker/Dockerfile.dockerignore leaves"

"$tools/compose" compose/compose.yaml >"$work/compose.yaml" || fail "compose/compose.yaml: see above"

chart=helm/dossier
kubernetes=1.32
for values in "$chart"/ci/*.yaml; do
	"$tools/helm" lint --strict --quiet -f "$values" "$chart" >"$work/lint" 2>&1 || { cat "$work/lint" >&2; fail "$chart with $values: see above"; }
	"$tools/helm" template test "$chart" --kube-version "$kubernetes.0" -f "$values" >"$work/manifests.yaml" || fail "$chart with $values cannot be rendered"
	"$tools/kubernetes-validate" --strict --quiet -k "$kubernetes" "$work/manifests.yaml" || fail "$chart with $values: see above"
done
if "$tools/helm" template test "$chart" --kube-version "$kubernetes.0" >"$work/out" 2>&1; then
	fail "$chart renders without the values that it needs"
fi

cd prometheus
for check in "check rules alerts.yml" "check config prometheus.yml" "test rules alerts_test.yml"; do
	# shellcheck disable=SC2086 # words on purpose
	"$tools/promtool" $check >"$work/out" 2>&1 || { cat "$work/out" >&2; fail "promtool $check: see above"; }
done
