# Dossier: bare `make` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

MODULES     := $(shell go work edit -json 2>/dev/null | sed -n 's/.*"DiskPath": "\(.*\)".*/\1/p')
GOTESTSUM   := go run gotest.tools/gotestsum@v1.13.0
STATICCHECK := go run honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := go run golang.org/x/vuln/cmd/govulncheck@v1.9.0
DATA        ?= ./dossier-data
LISTEN      ?= 127.0.0.1:8080
FUZZ        ?= 5s
# What make test runs a second time with the log in Apache Kafka; make prove runs all of it there.
ON_KAFKA    := ^(TestPermutations|TestReleased|TestErased|TestDemoFiveWays|TestKilled|TestServe|TestServeBackup)$$

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

.PHONY: run
run: prerequisites engine build models ## start everything on the embedded engines, with the demo workspace the first time
	@bin/dossier up --data $(DATA) --listen $(LISTEN) --demo

.PHONY: build
build: prerequisites ## build bin/dossier
	@go build -trimpath -o bin/dossier ./services/cmd/dossier

.PHONY: prerequisites
prerequisites:
	@command -v go >/dev/null || { echo "Go is missing: install Go 1.26 or newer from your system's packages" >&2; exit 1; }

.PHONY: engine
engine: ## fetch the embedded ClickHouse engine into the cache folder
	@deploy/engine/fetch.sh

.PHONY: models
models: build ## fetch the weights of the encoder tier of verbatims into the cache folder, where Python is found
	@deploy/models/fetch.sh

.PHONY: test-tools
test-tools: ## install what the tests need: Chromium, Java, Kafka, npm packages
	@deploy/testing/install.sh

.PHONY: test
test: prerequisites engine models test-tools ## run every test, at a size that ends within 20 minutes on 2 cores
	@mkdir -p build
	@$(GOTESTSUM) --format pkgname-and-test-fails --jsonfile build/test.json -- -timeout 40m work
	@DOSSIER_E2E_KAFKA=one $(GOTESTSUM) --format pkgname-and-test-fails --jsonfile build/test-kafka.json -- -timeout 40m -run '$(ON_KAFKA)' ./services/e2e
	@if grep -qh '"Action":"skip".*"Test"' build/test.json build/test-kafka.json && [ -n "$${CI:-}" ]; then \
	   echo "skipped under CI:" >&2; grep -h '"Action":"skip".*"Test"' build/test.json build/test-kafka.json >&2; exit 1; fi

.PHONY: fuzz
fuzz: prerequisites engine ## fuzz every decoder for FUZZ each (5s)
	@deploy/testing/fuzz.sh $(FUZZ)

.PHONY: check
check: prerequisites ## formatting, vet, staticcheck, tidy, each module built alone, and the linters of deploy/
	@fmt=$$(gofmt -l $(MODULES)); [ -z "$$fmt" ] || { echo "not gofmt'ed:" >&2; echo "$$fmt" >&2; exit 1; }
	@go vet work
	@$(STATICCHECK) $(addsuffix /...,$(MODULES))
	@for m in $(MODULES); do (cd $$m && go mod tidy -diff && GOWORK=off go build ./...) || exit 1; done
	@deploy/testing/lint.sh

.PHONY: race
race: prerequisites engine ## run the tests under the race detector
	@go test -race -timeout 60m work

.PHONY: vulnerabilities
vulnerabilities: ## look the dependencies up in the vulnerability database (needs the internet)
	@for m in $(MODULES); do (cd $$m && $(GOVULNCHECK) ./...) || exit 1; done

.PHONY: bench
bench: build engine ## run the benchmarks, each beside its measured limit
	@bin/dossier bench all

.PHONY: prove
prove: prerequisites engine test-tools build ## run the long proofs at full counts and print a report
	@deploy/testing/prove.sh

.PHONY: clean
clean: ## remove what was built; the data folder and the cache stay
	@rm -rf bin build
