# Everything there is to do with this repository. It needs Go, git and make; what
# else a target uses, it installs where it may, or says what is missing.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME ?= 30s
TIMEOUT ?= 20m

GOLANGCI_LINT_VERSION := v2.15.0
BUN_VERSION := 1.4.5

# The whole program is Go: no C compiler, except for the race detector.
export CGO_ENABLED = 0

TOOLS := $(CURDIR)/bin/tools
LINT := $(TOOLS)/golangci-lint-$(GOLANGCI_LINT_VERSION)
BUN := $(TOOLS)/bun-$(BUN_VERSION)/node_modules/@oven/bun-linux-x64/bin/bun
SCRIPTS = .ci/run $(wildcard tools/*.sh bench/run demo/*.sh testdata/*/record.sh) testdata/http/site.sh
PLATFORMS := linux/arm64 darwin/arm64 windows/amd64

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# SQLite, machine-translated from C, is three times as fast without race detector, and packing
# six times. Nobody debugs the programs of tests, and a third of the time to link them is for debuggers.
NORACE = $(foreach lib,modernc.org github.com/klauspost/compress,'-gcflags=$(lib)/...=-race=false -d=checkptr=0')
GOTEST = go run ./tools/gotest -ldflags=-w -timeout $(TIMEOUT)

.PHONY: help build demo test unit tidy vet lint format scripts generate fresh cross e2e truth confusion record bench bench-full bench-recorder soak cover fuzz update-golden clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build bin/shark
	go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/shark$(shell go env GOEXE) ./cmd/shark

demo: build ## walk through an outage of a small shop
	demo/demo.sh

test: tidy vet lint scripts fresh unit cross ## all checks, just as CI runs them

# A program with BoringSSL in it, static and stripped, for the tests of TLS.
ifeq ($(shell uname -sm),Linux x86_64)
unit: export SHARK_BUN = $(BUN)
unit: $(BUN)
endif

# What tries every capture there is, cuts streams everywhere, or kills programs at hundreds of
# moments does a part of that under the race detector, or nothing (WHOLE), and then all of it
# without. Recorders can give up their rights only without it, too, in all of their threads.
WHOLE := ^(TestConfusion|TestSharesMissing)$$
# What takes longest begins first: nothing else would be left to run beside it.
LONGEST := ./workbench ./snapshot ./cmd/shark
unit: ## run the tests alone, with the race detector
	tools/need.sh curl gcc gnutls-cli ip minisign nginx node nsenter objdump openssl python3 setpriv tcpdump tshark tstclnt zstd
	CGO_ENABLED=1 $(GOTEST) -race $(NORACE) -skip '$(WHOLE)' $(LONGEST) ./...
	$(GOTEST) ./dissector/protocol/... ./snapshot
	$(GOTEST) -run '^TestEvery|$(WHOLE)' ./dissector/truth ./workbench
	$(GOTEST) -count 1 ./recorder/daemon

tidy:
	go mod tidy -diff
	@bad=$$(git ls-files -z --cached --others --exclude-standard '*.go' | xargs -0 gofmt -l) && \
	if [ -n "$$bad" ]; then printf 'gofmt would change:\n%s\n' "$$bad" >&2; exit 1; fi

vet:
	go vet ./...

lint: $(LINT) ## run golangci-lint
	$(LINT) run

format: $(LINT) ## format all Go files as lint wants them
	$(LINT) fmt

# Named by version, so that a new version is built and an old one is not used.
$(LINT):
	GOBIN=$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	mv $(TOOLS)/golangci-lint $@

$(BUN):
	tools/need.sh npm
	npm install --silent --no-audit --no-fund --ignore-scripts --prefix $(TOOLS)/bun-$(BUN_VERSION) @oven/bun-linux-x64@$(BUN_VERSION)
	test -x $@

scripts:
	tools/need.sh shellcheck
	shellcheck $(SCRIPTS)

generate: ## write what is made from the code, such as docs/fields.md and the kernel programs
	tools/need.sh clang-19 llvm-strip-19
	go generate ./...

fresh:
	tools/fresh.sh $(MAKE) --no-print-directory generate

cross:
	@set -e; for p in $(PLATFORMS); do \
		echo "build for $$p"; \
		GOOS=$${p%/*} GOARCH=$${p#*/} go vet ./...; \
		GOOS=$${p%/*} GOARCH=$${p#*/} go build -o build/shark-$${p%/*}-$${p#*/} ./cmd/shark; \
	done

truth: ## compare the dissector with tshark's word on the captures of SHARK_CAPTURES
	go run ./dissector/truth

confusion: ## print what tshark calls the packets that shark gives a protocol
	tools/need.sh tshark
	go run ./dissector/truth -confusion

record: ## record the captures of testdata anew, from real servers, into build/record (NAMES="dns redis": these)
	tools/record.sh build/record $(NAMES)

bench: build ## measure speed and memory on 200 MB, in some minutes
	bench/run

bench-full: build ## measure all that has a limit, on up to 4 GB
	bench/run -full

bench-recorder: ## measure shark, tcpdump and dumpcap capturing at full speed, as root
	tools/need.sh dumpcap ip tcpdump
	mkdir -p build/bench
	go build -o build/bench/bench-recorder ./bench/recorder
	build/bench/bench-recorder $(FLAGS)

soak: ## record for two hours (SHARK_SOAK) while pods come and go, and watch what the recorder takes
	SHARK_SOAK=$${SHARK_SOAK:-2h} go test ./recorder/daemon -run '^TestSoak$$' -v -timeout 0

e2e: ## run the tests that need a real API server, of SHARK_KUBECONFIG, with a node that kwok plays
	go test -tags e2e ./recorder/watch/kubernetes -run '^TestReal' -count=1 -v

cover: ## run the tests and show what they cover
	mkdir -p build
	go test -timeout $(TIMEOUT) -coverpkg=./... -coverprofile=build/coverage.out ./...
	go tool cover -func=build/coverage.out | tail -n 1
	go tool cover -html=build/coverage.out -o build/coverage.html

fuzz: ## run every fuzz target for FUZZTIME each (30s)
	tools/fuzz.sh $(FUZZTIME)

update-golden: ## rewrite the golden files; read the difference before you keep it
	go test $$(grep -rlE 'shark/dissector/dissectortest|flag\.Bool\("update"' --include='*_test.go' . | xargs dirname | sort -u) -update

clean: ## remove what was built
	rm -rf bin build
